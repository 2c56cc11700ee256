"""Who is calling? One box, and the people whom it finds."""

import httpx
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.console.browser import Console
from tests.console.people import HOSTILE, LONG, RIGHT_TO_LEFT, add_merged_person, add_person

BOX = "Number, e-mail, chat ID or profile ID"


@pytest.fixture(scope="module")
def grace(console_url: str, console_account: tuple[str, str], console_store: str) -> str:
    with httpx.Client(base_url=console_url, auth=console_account) as api:
        return add_merged_person(api, console_store)


def test_the_page_shows_how_the_store_reads_what_is_being_typed(console: Console, grace: str) -> None:
    console.open_in_store()
    assert console.violations() == []
    console.fill(BOX, "1-317-555-6789")
    console.wait_for("+13175556789")
    console.wait_for("expected an e-mail address")
    assert console.violations() == []
    console.fill(BOX, "unknown")
    console.wait_for("it identifies nobody")
    console.fill(BOX, grace)
    console.wait_for("This is the ID of a profile.")


def test_a_number_as_people_write_it_finds_the_person(console: Console, grace: str) -> None:
    console.open_in_store()
    console.fill(BOX, "+1 (317) 555-6789")
    console.press("Look up")
    assert "One person" in console.text
    assert grace in console.text
    assert "317" not in console.browser.current_url
    assert console.violations() == []
    console.press("Grace Hopper")
    assert console.path == f"stores/{console.store_id}/profiles/{grace}"


def test_the_id_of_a_profile_leads_to_the_person(console: Console, grace: str) -> None:
    console.open_in_store()
    console.fill(BOX, f" {grace} ")
    console.press("Look up")
    assert console.path == f"stores/{console.store_id}/profiles/{grace}"
    console.open_in_store()
    console.fill(BOX, "mem_profile_00000000000000000000000000")
    console.press("Look up")
    assert "no profile of this store has this ID" in console.text


def test_a_value_that_nobody_has_finds_nobody(console: Console) -> None:
    console.open_in_store()
    console.fill(BOX, "nobody@example.com")
    console.press("Look up")
    assert "Nobody" in console.text


def test_the_keyboard_alone_looks_somebody_up(console: Console, grace: str) -> None:
    console.open_in_store()
    keys = ActionChains(console.browser)
    keys.send_keys("grace.hopper@example.com", Keys.ENTER).perform()  # the box has the focus
    console.wait_for("One person")
    for _ in range(20):
        keys.send_keys(Keys.TAB).perform()
        if console.browser.switch_to.active_element.text == "Grace Hopper":
            break
    keys.send_keys(Keys.ENTER).perform()
    console.wait_for("History")
    assert grace in console.path


def test_hostile_values_are_shown_as_text(console: Console) -> None:
    add_person(
        console.api, console.store_id, firstName=HOSTILE, lastName=RIGHT_TO_LEFT, email="mallory@example.com", chat=LONG
    )
    console.open_in_store()
    console.fill(BOX, "mallory@example.com")
    console.press("Look up")
    assert HOSTILE in console.text
    assert RIGHT_TO_LEFT in console.text
    assert LONG in console.text
    for hostile in (HOSTILE, RIGHT_TO_LEFT, f'">{HOSTILE}'):
        console.fill(BOX, hostile)
        console.press("Look up")
        assert console.field(BOX).get_property("value") == hostile
    console.fill(BOX, LONG)
    console.press("Look up")
    assert "One person" in console.text
    console.narrow()
    assert not console.scrolls_sideways()


def test_looking_up_needs_no_javascript(console: Console, grace: str) -> None:
    console.allow_scripts(allowed=False)
    console.open_in_store()
    console.fill(BOX, "+1 317 555 6789")
    console.press("Look up")
    assert grace in console.text
    console.press("Grace Hopper")
    assert console.path == f"stores/{console.store_id}/profiles/{grace}"
