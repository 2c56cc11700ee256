"""A file is imported in the console: dropped, checked, started, followed and undone."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.console.browser import Console
from tests.console.people import HOSTILE, LONG, RIGHT_TO_LEFT
from tests.imports.conftest import mappings
from tests.imports.workbooks import write_workbook

HOLDS = "What the column {} holds"


def drop(console: Console, path: Path) -> None:
    """Choose a file and send it."""
    console.open_in_store("imports")
    console.field("File").send_keys(str(path))
    console.press("Upload and check")


def write(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding=encoding)
    return path


def choose(console: Console, column: str, text: str) -> None:
    """Choose what a column holds, and tell the page so, as a browser does."""
    selector = f"select[aria-label='{HOLDS.format(column)}']"
    Select(console.browser.find_element(By.CSS_SELECTOR, selector)).select_by_visible_text(text)


def look_up(console: Console, email: str) -> list[str]:
    body = {"idType": "email", "value": email}
    answer = console.api.post(f"/v1/Stores/{console.store_id}/Profiles/Lookup", json=body)
    found: list[str] = answer.json()["profiles"]
    return found


def of_session(console: Console, path: str) -> httpx.Response:
    """Return what the browser would get for this path below the store."""
    cookies = {each["name"]: each["value"] for each in console.browser.get_cookies()}
    address = f"{console.base_url}/console/stores/{console.store_id}/{path}"
    return httpx.get(address, cookies=cookies)


def test_a_file_with_hostile_texts_is_checked_imported_and_undone(console: Console, tmp_path: Path) -> None:
    name = f"<img src=x onerror=alert(1)>{RIGHT_TO_LEFT}.csv".replace("/", "")
    path = write(
        tmp_path / name,
        f"Contact,First name,{HOSTILE},Phone",
        f"hana@example.com,{HOSTILE},1,",
        f"ali@example.com,{RIGHT_TO_LEFT},2,nonsense",
        f"nobody,{LONG},3,",
    )
    drop(console, path)
    assert name in console.text
    assert "Looks like numbers or addresses" in console.text
    assert "No column identifies anybody" not in console.text
    choose(console, "Contact", "email (identifies)")
    console.wait_for("2 new people, 1 refused")
    for text in (HOSTILE, RIGHT_TO_LEFT, LONG):
        assert text in console.text
    assert console.violations() == []
    assert look_up(console, "hana@example.com") == []
    console.press("Start the import")
    console.wait_for("3 of 3 rows")
    console.wait_for("See what an undo would do")
    assert console.violations() == []
    (profile_id,) = look_up(console, "hana@example.com")

    console.press("See the refused rows")
    (row,) = console.browser.find_elements(By.CSS_SELECTOR, "tbody tr")
    assert row.text.startswith("4 Contact expected an e-mail address")
    assert console.violations() == []
    answer = of_session(console, f"{console.path.split('/', 2)[2]}/file")
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert answer.text.startswith("line,column,reason\r\n4,Contact,expected an e-mail address")
    console.press(name)
    console.press("See the ignored cells")
    assert "3 Phone expected digits" in console.text

    console.press(name)
    console.press("See what an undo would do")
    console.wait_for("Erased: only the import made them")
    console.wait_for("Undo the import")
    assert profile_id in console.text
    assert console.violations() == []
    console.press("Undo the import")
    console.wait_for("Done")
    assert look_up(console, "hana@example.com") == []
    console.open_in_store("imports")
    assert name in console.text
    assert console.violations() == []


def test_a_sheet_of_a_workbook_is_imported_by_keyboard_alone(console: Console, tmp_path: Path) -> None:
    rows = [["E-mail", "First name"], ["wb@example.com", "Wilma"]]
    path = write_workbook(tmp_path / "people.xlsx", {"Notes": [["nothing"]], "People": rows})
    console.open_in_store("imports")
    file = console.field("File")
    file.send_keys(str(path))
    console.browser.execute_script("arguments[0].focus()", file)  # a click would open the system's own dialog
    keys = ActionChains(console.browser)
    keys.send_keys(Keys.TAB, Keys.ENTER, Keys.TAB, "people", Keys.ENTER).perform()
    console.wait_for("1 new person")
    while console.browser.switch_to.active_element != console.button("Start the import"):
        ActionChains(console.browser).send_keys(Keys.TAB).perform()
    ActionChains(console.browser).send_keys(Keys.ENTER).perform()
    console.wait_for("1 of 1 rows")
    console.wait_for("Done")
    assert len(look_up(console, "wb@example.com")) == 1


def test_an_import_that_waits_for_its_file_is_cancelled(console: Console) -> None:
    body: dict[str, Any] = {"filename": "later.csv", "fileSize": 31, "columnMappings": mappings()}
    created = console.api.post(f"/v1/Stores/{console.store_id}/Profiles/Imports", json=body).json()
    console.open_in_store(f"imports/{created['importId']}")
    assert "This import waits for its file" in console.text
    assert console.violations() == []
    console.press("Cancel the import")
    assert "Nothing was imported." in console.text
    operation = console.api.get(f"/v1/ControlPlane/Operations/{created['operationId']}").json()
    assert operation["status"] == "CANCELLED"


@pytest.mark.slow
def test_a_file_is_imported_without_scripts_after_its_encoding_was_chosen(console: Console, tmp_path: Path) -> None:
    path = write(tmp_path / "müller.csv", "E-mail;Name;City", "m@example.com;Müller;Köln", encoding="cp1252")
    console.allow_scripts(allowed=False)
    drop(console, path)
    assert "or name its encoding: cp1252." in console.text
    assert "--encoding" not in console.text
    assert "Start the import" not in console.buttons()
    Select(console.field("Encoding")).select_by_visible_text("Windows-1252, western languages")
    console.press("Read the file again")
    assert "Köln" in console.text
    choose(console, "Name", "lastName")
    console.press("Show the first rows again")
    assert "Müller" in console.browser.find_element(By.ID, "first-rows").text
    console.press("Start the import")
    console.wait_for("See what an undo would do")
    (profile_id,) = look_up(console, "m@example.com")
    profile = console.api.get(f"/v1/Stores/{console.store_id}/Profiles/{profile_id}").json()
    assert profile["traits"]["Contact"]["lastName"] == "Müller"


@pytest.mark.slow
def test_what_no_import_can_read_is_refused_and_a_file_can_be_discarded(console: Console, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    drop(console, empty)
    assert "expected a file that is not empty" in console.text
    assert console.violations() == []
    drop(console, write_workbook(tmp_path / "people.xlsx", {"People": [["E-mail"], ["x@example.com"]]}))
    console.narrow()
    assert not console.scrolls_sideways()
    console.press("Discard the file")
    assert "Nothing was imported." in console.text
    console.open_in_store("imports")
    console.field("File").send_keys(str(tmp_path / "people.xlsx"))
    console.button("Choose a sheet of the workbook").click()
    console.fill("Name of the sheet", "Absent")
    console.press("Upload and check")
    assert "this workbook has no such sheet; it has People" in console.text
    assert not console.scrolls_sideways()


@pytest.mark.slow
def test_refused_rows_are_shown_page_by_page(console: Console, tmp_path: Path) -> None:
    drop(console, write(tmp_path / "many.csv", "E-mail,First name", *["nobody,Nobody"] * 250))
    console.press("Start the import")
    console.wait_for("250 of 250 rows")
    console.wait_for("Done")
    console.press("See the refused rows")
    lines: list[str] = []
    while True:
        lines += [cell.text for cell in console.browser.find_elements(By.CSS_SELECTOR, "tbody td:first-child")]
        if "Next lines" not in console.buttons():
            break
        console.press("Next lines")
    assert lines == [str(line) for line in range(2, 252)]
    console.press("First lines")
    assert console.violations() == []
