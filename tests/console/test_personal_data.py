"""What the service holds about a person, as a file; and the erasure of a person."""

import httpx
import pytest

from tests.console.browser import Console
from tests.console.people import HOSTILE, LONG, RIGHT_TO_LEFT, add_merged_person, add_person


def test_a_person_is_erased_once_its_id_was_typed(console: Console) -> None:
    profile_id = add_merged_person(console.api, console.store_id)
    console.open_in_store(f"profiles/{profile_id}")
    console.press("Erase")
    assert "Former IDs" in console.text
    assert console.violations() == []
    console.fill("Type the profile's ID to confirm", "grace.hopper@example.com")
    console.press("Erase this person")
    assert "expected the ID of this profile" in console.text
    assert "grace.hopper" not in console.browser.page_source
    assert console.violations() == []
    console.fill("Type the profile's ID to confirm", profile_id)
    console.press("Erase this person")
    assert f"{profile_id} was erased." in console.text
    assert console.api.get(_path(console, profile_id)).status_code == 404
    console.open_in_store(f"profiles/{profile_id}/erase")
    assert "Go to the first page" in console.buttons()


def test_the_file_has_what_the_api_answers(console: Console) -> None:
    profile_id = add_merged_person(console.api, console.store_id)
    add_person(
        console.api, console.store_id, firstName=HOSTILE, lastName=RIGHT_TO_LEFT, email="grace.hopper@example.com"
    )
    console.open_in_store(f"profiles/{profile_id}/data")
    assert console.violations() == []
    saved = _saved_file(console, profile_id)
    assert saved.headers["content-disposition"] == f'attachment; filename="{profile_id}.json"'
    document = saved.json()
    path = _path(console, profile_id)
    events = console.api.get(f"{path}/Events", params={"orderBy": "ASC"}).json()["events"]
    suspects = console.api.get(f"/v1/Stores/{console.store_id}/Suspects").json()["suspects"]
    assert document == {
        "profile": console.api.get(path).json(),
        "identifiers": console.api.get(f"{path}/Identifiers").json()["identifiers"],
        "traits": document["traits"],
        "explanation": console.api.get(f"{path}/Explanation").json(),
        "separations": [],
        "suspects": [each for each in suspects if each["profileId"] == profile_id],
        "events": events,
    }
    traits = console.api.get(f"{path}/Traits").json()["traits"]
    assert sorted(document["traits"], key=str) == sorted(traits, key=str)


@pytest.mark.slow
def test_the_pages_need_no_javascript_and_fit_a_telephone(console: Console) -> None:
    profile_id = add_person(console.api, console.store_id, chat=LONG)
    console.allow_scripts(allowed=False)
    console.open_in_store(f"profiles/{profile_id}/erase")
    console.fill("Type the profile's ID to confirm", f" {profile_id} ")
    console.press("Erase this person")
    assert "was erased" in console.text
    console.allow_scripts(allowed=True)
    other = add_person(console.api, console.store_id, chat=LONG)
    console.narrow()
    for page in ("data", "erase"):
        console.open_in_store(f"profiles/{other}/{page}")
        assert not console.scrolls_sideways()


@pytest.mark.slow
def test_a_former_id_leads_to_the_page_of_the_whole_person(console: Console) -> None:
    profile_id = add_merged_person(console.api, console.store_id)
    (former,) = console.api.get(f"{_path(console, profile_id)}/Explanation").json()["formerly"]
    console.open_in_store(f"profiles/{former}/erase")
    assert console.path == f"stores/{console.store_id}/profiles/{profile_id}/erase"


@pytest.mark.slow
def test_who_may_only_write_erases_without_seeing_how_much_there_is(console: Console) -> None:
    profile_id = add_person(console.api, console.store_id, chat="unseen")
    key = console.api.post("/v1/ControlPlane/Keys", json={"scopes": ["lookup", "write"]}).json()
    console.sign_in(key["sid"], key["secret"])
    console.open_in_store(f"profiles/{profile_id}/erase")
    assert "may not see how many" in console.text
    assert "Data as a file" not in console.buttons()
    console.open_in_store(f"profiles/{profile_id}/data")
    assert "does not have the scope read" in console.text


def _path(console: Console, profile_id: str) -> str:
    return f"/v1/Stores/{console.store_id}/Profiles/{profile_id}"


def _saved_file(console: Console, profile_id: str) -> httpx.Response:
    """Return what the form on the page that is shown answers, sent with the browser's cookies."""
    cookies = {each["name"]: each["value"] for each in console.browser.get_cookies()}
    token = console.browser.execute_script("return document.querySelector('main [name=token]').value")
    address = f"{console.base_url}/console/stores/{console.store_id}/profiles/{profile_id}/data"
    answer = httpx.post(address, data={"token": token}, cookies=cookies)
    assert answer.status_code == 200, answer.text
    return answer
