"""What became of requests that take long."""

import pytest
from selenium.webdriver.common.by import By

from tests.console.browser import Console
from tests.console.operations import begin_import, cancel_import, ended, import_rows, write_batch
from tests.console.people import HOSTILE, RIGHT_TO_LEFT, canonical_id

WAITING = "email,city\nnever@example.com,Gary"


def test_an_import_is_followed_to_its_end(console: Console) -> None:
    begun = begin_import(console.api, console.store_id, WAITING)
    console.open("operations")
    console.press("Import")
    assert "Waiting for its file" in console.text
    assert console.violations() == []
    operation = console.path
    console.press("The import: its rows, how to cancel it and to undo it")
    assert console.path == f"stores/{console.store_id}/imports/{begun['importId']}"
    console.open(operation)
    cancel_import(console.api, console.store_id, begun)
    console.wait_for("Cancelled")  # the page is loaded again by itself
    assert console.violations() == []


def test_the_rows_of_an_import_and_the_results_of_its_undo_are_shown(console: Console) -> None:
    operation_id = import_rows(console.api, console.store_id, "first@example.com,Gary", "nonsense,Rome")
    console.open(f"operations/{operation_id}")
    assert "2 of 2, of which 1 refused" in console.text
    path = f"/v1/Stores/{console.store_id}/Profiles/Imports/{operation_id.replace('operation', 'import')}/Undo"
    console.api.post(path, json={"dryRun": True})
    console.open("operations")
    assert console.violations() == []
    console.press("Undo of an import (dry run)")
    console.wait_for("These are the results that the undo would have.")
    assert canonical_id(console.api, console.store_id, "email", "first@example.com") in console.text
    assert console.violations() == []


def test_the_results_of_a_batch_lead_to_its_people_and_hostile_names_are_text(console: Console) -> None:
    groups = [{"traits": {name: {"plan": "x"}}} for name in (HOSTILE, RIGHT_TO_LEFT, "g" * 100)]
    operation_id = write_batch(console.api, console.store_id, [_contact(email="batch@example.com"), *groups])
    console.open(f"operations/{operation_id}")
    assert "no such trait group" in console.text
    assert console.violations() == []
    console.narrow()
    assert not console.scrolls_sideways()
    console.widen()
    console.press(canonical_id(console.api, console.store_id, "email", "batch@example.com"))
    assert "batch@example.com" in console.text


@pytest.mark.slow
def test_the_list_shows_one_state_if_so_wanted(console: Console) -> None:
    begun = begin_import(console.api, console.store_id, WAITING)
    write_batch(console.api, console.store_id, [_contact(email="state@example.com")])
    console.open("operations")
    console.field("State").send_keys("Waiting")
    console.press("Show")
    assert "Batch of people" not in console.text
    assert "Import" in console.text
    cancel_import(console.api, console.store_id, begun)
    console.wait_for("There is no such operation.")  # the list is loaded again by itself


@pytest.mark.slow
def test_a_list_of_one_state_stays_one_on_its_next_page(console: Console) -> None:
    for number in range(2):
        write_batch(console.api, console.store_id, [_contact(email=f"paged.{number}@example.com")])
    console.open("operations?status=COMPLETED&pageSize=1")
    console.press("Older operations")
    assert console.field("State").get_property("value") == "COMPLETED"
    console.press("Newer operations")
    assert len(console.browser.find_elements(By.CSS_SELECTOR, "tbody tr")) >= 1


@pytest.mark.slow
def test_operations_need_no_javascript(console: Console) -> None:
    begun = begin_import(console.api, console.store_id, WAITING)
    console.allow_scripts(allowed=False)
    console.open(f"operations/{begun['operationId']}")
    cancel_import(console.api, console.store_id, begun)
    console.press("Load it again")
    assert "Cancelled" in console.text


@pytest.mark.slow
def test_an_operation_that_is_not_there_has_a_page(console: Console) -> None:
    for operation_id in ("mem_operation_00000000000000000000000000", "nonsense"):
        console.open(f"operations/{operation_id}")
        assert "Go to the first page" in console.buttons()


@pytest.mark.slow
def test_an_import_of_a_deleted_store_is_shown_without_it(console: Console) -> None:
    console.api.post("/v1/ControlPlane/Stores", json={"displayName": "closed", "description": "A shop"})
    stores = console.api.get("/v1/ControlPlane/Stores").json()["stores"]
    (store_id,) = {each if isinstance(each, str) else each["id"] for each in stores} - {console.store_id}
    operation_id = import_rows(console.api, store_id, "closed@example.com,Gary")
    deletion = console.api.delete(f"/v1/ControlPlane/Stores/{store_id}")
    ended(console.api, deletion.headers["Operation-Id"])
    console.open(f"operations/{operation_id}")
    assert "1 row" in console.text
    assert "The import: its rows, how to cancel it and to undo it" not in console.buttons()
    assert console.violations() == []


def _contact(**contact: str) -> dict[str, object]:
    return {"traits": {"Contact": contact}}
