"""The story of the console: a shared address holds 150 people together, and a split gives Ann back."""

from collections.abc import Sequence

from selenium.webdriver.common.by import By

from tests.console.browser import Console
from tests.console.joined_people import look_up
from tests.imports.shared_office import OFFICE, PATH, PHONES

BOX = "Number, e-mail, chat ID or profile ID"


def import_file(console: Console) -> None:
    """Import the file, with the columns as the page guesses them."""
    console.open_in_store("imports")
    console.field("File").send_keys(str(PATH))
    console.press("Upload and check")
    console.press("Start the import")
    console.wait_for("150 of 150 rows")
    console.wait_for("See what an undo would do")


def open_person(console: Console, value: str) -> None:
    """Look an identifier up, and open the page of the one person whom it finds."""
    console.open_in_store()
    console.fill(BOX, value)
    console.press("Look up", "main form")
    (link,) = console.browser.find_elements(By.CSS_SELECTOR, ".person h3 a")
    console.press(link.text, ".person")


def people_of(console: Console, phones: Sequence[str]) -> list[str]:
    """Return the one person whom each of these phones finds."""
    path = f"/v1/Stores/{console.store_id}/Profiles/Lookup/Batch"
    body = {"identifiers": [{"idType": "phone", "value": phone} for phone in phones]}
    results = console.api.post(path, json=body).json()["results"]
    return [person for result in results for person in result["profiles"]]


def test_ann_is_found_among_150_people_whom_an_address_holds_together_and_is_alone_after_a_split(
    console: Console,
) -> None:
    import_file(console)
    open_person(console, OFFICE)
    console.press("Why one person?", ".person-head")
    assert "149 joins have made" in console.text
    first, *others = (each.text for each in console.browser.find_elements(By.CSS_SELECTOR, ".join-graph .card .name"))
    assert (first, others) == ("Ann Abel", [])
    assert "It is a bridge: it holds 150 parts together." in console.text
    assert len(console.browser.find_elements(By.CSS_SELECTOR, ".join-graph .bundle .dot")) == 149

    console.press("Split all 149 joins…")
    assert "Afterwards: 150 people" in console.text
    console.browser.find_element(By.CSS_SELECTOR, ".options input[type=checkbox]").click()
    console.press("Show it with these choices")
    console.press("Split into 150 people")
    assert "The joins are undone. 150 profiles are left." in console.text

    open_person(console, PHONES[0])
    assert console.browser.find_element(By.TAG_NAME, "h1").text == "Ann Abel"
    values = [each.text for each in console.browser.find_elements(By.CSS_SELECTOR, ".held .value")]
    assert values == [PHONES[0]]
    assert look_up(console, "email", OFFICE) == []
    assert len(set(people_of(console, PHONES))) == 150
