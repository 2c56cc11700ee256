"""Splits in the console: first what would be left is shown, and then exactly that is done."""

import asyncio

import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings
from tests.console.browser import Console
from tests.console.joined_people import create, create_ann_and_bob, look_up
from tests.console.people import HOSTILE, LONG, RIGHT_TO_LEFT
from tests.console.visitors import sign_in, token_in
from tests.history.splits import with_many_events

SHOW = "Show what a split would leave…"


def preview_of_all(console: Console, person_id: str) -> None:
    """Choose all joins in the list, and show what would be left."""
    console.open_in_store(f"profiles/{person_id}/why")
    for box in console.browser.find_elements(By.CSS_SELECTOR, ".joins input[type=checkbox]"):
        box.click()
    console.press(SHOW)


def join_of(console: Console, person_id: str) -> str:
    """Return the ID of the first join of a person."""
    explained = console.api.get(f"/v1/Stores/{console.store_id}/Profiles/{person_id}/Explanation")
    event: str = explained.json()["joins"][0]["event"]
    return event


def kept_apart(console: Console, person_id: str) -> int:
    console.open_in_store(f"profiles/{person_id}/separations")
    return len(console.browser.find_elements(By.CSS_SELECTOR, "tbody tr"))


def test_a_split_does_what_its_preview_shows(console: Console) -> None:
    person_id = create_ann_and_bob(console, 11)
    preview_of_all(console, person_id)
    assert "3 joins would be undone. Nothing has changed yet." in console.text
    assert "Afterwards: 4 people" in console.text
    assert look_up(console, "email", "rob11@example.com") == [person_id]
    assert console.violations() == []
    console.narrow()
    assert not console.scrolls_sideways()
    console.widen()
    console.press("Split into 4 people")
    assert "The joins are undone. 4 profiles are left." in console.text
    assert look_up(console, "email", "ann11@example.com") == [person_id]
    assert look_up(console, "email", "rob11@example.com") not in ([], [person_id])


def test_joins_by_one_identifier_are_split_together_and_the_identifier_is_blocked(console: Console) -> None:
    person_id = create(console, email="office@acme.example", phone="+14155552000", firstName="Ann")
    for number in range(1, 20):
        create(console, email="office@acme.example", phone=f"+1415555{2000 + number}", firstName=f"Person {number}")
    console.allow_scripts(allowed=False)
    console.open_in_store(f"profiles/{person_id}/why")
    console.press("Split all 19 joins…")
    assert "Afterwards: 20 people" in console.text
    console.browser.find_element(By.CSS_SELECTOR, ".options input[type=checkbox]").click()
    console.press("Show it with these choices")
    assert "The parts are kept apart. 1 value is blocked." in console.text
    console.press("Split into 20 people")
    assert look_up(console, "phone", "+14155552000") == [person_id]
    assert look_up(console, "email", "office@acme.example") == []
    assert kept_apart(console, person_id) == 19


def test_choices_that_were_not_previewed_are_shown_before_anything_is_split(console: Console) -> None:
    person_id = create_ann_and_bob(console, 31)
    preview_of_all(console, person_id)
    console.browser.find_element(By.CSS_SELECTOR, "input[name=keepApart][value=false]").click()
    console.press("Split into 4 people")
    assert "Nothing was split yet, because you have changed your choices." in console.text
    assert "The parts are not kept apart." in console.text
    assert look_up(console, "email", "rob31@example.com") == [person_id]
    console.press("Split into 4 people")
    assert "The joins are undone. 4 profiles are left." in console.text
    assert kept_apart(console, person_id) == 0


def test_parts_need_not_be_kept_apart(console: Console) -> None:
    person_id = create_ann_and_bob(console, 12)
    preview_of_all(console, person_id)
    console.browser.find_element(By.CSS_SELECTOR, "input[name=keepApart][value=false]").click()
    console.press("Show it with these choices")
    console.press("Split into 4 people")
    assert kept_apart(console, person_id) == 0
    assert "Nobody is kept apart from this person." in console.text
    assert console.violations() == []


def test_what_keeps_two_apart_can_be_lifted(console: Console) -> None:
    person_id = create_ann_and_bob(console, 13)
    preview_of_all(console, person_id)
    console.press("Split into 4 people")
    assert kept_apart(console, person_id) == 3
    assert console.violations() == []
    console.narrow()
    assert not console.scrolls_sideways()
    console.widen()
    console.open_in_store(f"profiles/{person_id}/separations?pageSize=2")
    console.press("Older")
    assert len(console.browser.find_elements(By.CSS_SELECTOR, "tbody tr")) == 1
    other_id = console.browser.find_element(By.CSS_SELECTOR, "tbody .id").text
    console.press("Let them become one", "tbody tr:first-child")
    assert "The two may become one person again." in console.text
    assert other_id not in console.text
    assert kept_apart(console, person_id) == 2


def test_a_profile_that_has_changed_since_the_preview_is_shown_again_instead_of_split(console: Console) -> None:
    person_id = create_ann_and_bob(console, 14)
    preview_of_all(console, person_id)
    create(console, email="ann14@example.com", city="Bern")
    console.press("Split into 4 people")
    assert "Nothing was split, because the person has changed since the preview." in console.text
    assert "Bern" in console.text
    assert look_up(console, "email", "rob14@example.com") == [person_id]
    console.press("Split into 4 people")
    assert "The joins are undone." in console.text


def test_a_split_without_a_join_is_refused_on_the_page_of_the_joins(console: Console) -> None:
    console.open_in_store(f"profiles/{create_ann_and_bob(console, 15)}/why")
    console.press(SHOW)
    assert "choose at least one join" in console.text
    assert console.violations() == []


def test_joins_are_chosen_and_split_by_keyboard_alone(console: Console) -> None:
    person_id = create_ann_and_bob(console, 16)
    console.open_in_store(f"profiles/{person_id}/why")
    press_until(console, ".joins input[type=checkbox]", Keys.SPACE)
    press_until(console, ".joins > p button", Keys.ENTER)
    console.wait_for("1 join would be undone.")
    press_until(console, ".confirm button", Keys.ENTER)
    console.wait_for("The joins are undone. 2 profiles are left.")


def press_until(console: Console, css: str, key: str) -> None:
    """Go on with the tabulator to the first element that a selector finds, and press a key there."""
    target = console.browser.find_element(By.CSS_SELECTOR, css)
    for _ in range(50):
        console.browser.switch_to.active_element.send_keys(Keys.TAB)
        if console.browser.switch_to.active_element == target:
            target.send_keys(key)
            return
    raise AssertionError(f"the keyboard does not reach {css}")


def test_hostile_names_and_values_are_text_in_the_preview(console: Console) -> None:
    person_id = create(console, chat=HOSTILE, email="hostile@example.com", firstName=HOSTILE)
    create(console, email="hostile@example.com", chat=RIGHT_TO_LEFT, firstName=LONG)
    preview_of_all(console, person_id)
    assert HOSTILE in console.text
    assert LONG in console.text
    assert console.browser.title == "Split · profile-lookup"
    assert console.violations() == []
    console.narrow()
    assert not console.scrolls_sideways()


def test_a_value_is_blocked_after_the_page_has_said_what_that_means(console: Console) -> None:
    person_id = create(console, chat=HOSTILE + " 2", email="blocked@example.com", firstName="Ann")
    create(console, chat=HOSTILE + " 2", firstName="Bob", email="bob@blocked.example")
    console.open_in_store(f"profiles/{person_id}/why")
    console.press("Block it…")
    assert "this value identifies nobody in this store" in console.text
    assert look_up(console, "chat", HOSTILE + " 2") == [person_id]
    assert console.violations() == []
    console.press("Block it")
    assert "The value is blocked." in console.text
    assert look_up(console, "chat", HOSTILE + " 2") == []


def test_joins_that_were_undone_meanwhile_are_refused_on_the_page_of_the_joins(console: Console) -> None:
    person_id = create_ann_and_bob(console, 19)
    path = f"/console/stores/{console.store_id}/profiles/{person_id}"
    with httpx.Client(base_url=console.base_url) as visitor:
        sign_in(visitor, *console.account)
        form = {"token": token_in(visitor.get(f"{path}/why")), "events": join_of(console, person_id)}
        form |= {"keepApart": "true", "previewed": "true"}
        answers = [visitor.post(f"{path}/split", data=form) for _ in range(2)]
        malformed = visitor.post(f"{path}/split/preview", data={**form, "events": f"mem_event_{'z' * 26}"})
        unknown = visitor.post(f"{path}/separations/lift", data={**form, "otherProfileId": f"mem_profile_{'z' * 26}"})
    assert [each.status_code for each in answers] == [303, 409]
    assert "this join was undone already" in answers[1].text
    assert (malformed.status_code, unknown.status_code) == (400, 303)
    assert "expected an event of this profile" in malformed.text


def test_a_key_that_may_only_write_is_shown_nobody(console: Console) -> None:
    person_id = create_ann_and_bob(console, 18)
    made = console.api.post("/v1/ControlPlane/Keys", json={"name": "writer", "scopes": ["write"]}).json()
    with httpx.Client(base_url=console.base_url) as visitor:
        sign_in(visitor, made["sid"], made["secret"])
        store = f"/console/stores/{console.store_id}"
        form = {"token": token_in(visitor.get(store)), "events": join_of(console, person_id)}
        answer = visitor.post(f"{store}/profiles/{person_id}/split/preview", data=form)
    assert answer.status_code == 403
    assert "scope" in answer.text
    assert "ann18" not in answer.text


@pytest.mark.slow
def test_the_split_of_somebody_with_very_many_events_is_an_operation(
    console: Console, console_settings: Settings
) -> None:
    person_id = create_ann_and_bob(console, 17)
    path = f"/v1/Stores/{console.store_id}/Profiles/{person_id}"
    assert console.api.patch(path, json={"traits": {"Contact": {"city": "Bern"}}}).status_code == 202
    asyncio.run(_give_many_events(console_settings, person_id))
    preview_of_all(console, person_id)
    assert "a worker computes what would be left" in console.text
    assert console.violations() == []
    console.press("Split")
    assert console.path.startswith("operations/mem_operation_")


async def _give_many_events(settings: Settings, person_id: str) -> None:
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), pool_size=1)
    try:
        await with_many_events(database, person_id)
    finally:
        await database.close()
