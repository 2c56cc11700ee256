"""The list of profiles that may be several people."""

import pytest
from selenium.webdriver.common.by import By

from tests.console.browser import Console
from tests.console.people import HOSTILE, LONG, RIGHT_TO_LEFT, add_person


def add_suspect(console: Console, chat: str, *names: str) -> str:
    """Write a chat ID under several names, and return the ID of the one person."""
    (profile_id,) = {
        add_person(console.api, console.store_id, chat=chat, firstName=name, lastName="Hopper") for name in names
    }
    return profile_id


def test_suspects_are_listed_worst_first_with_links_to_the_person_and_to_why(console: Console) -> None:
    add_suspect(console, "two", "Grace", "Ann")
    worst = add_suspect(console, HOSTILE, "Grace", "Ann", RIGHT_TO_LEFT)
    console.open_in_store("suspects")
    rows = [row.text for row in console.browser.find_elements(By.CSS_SELECTOR, "tbody tr")]
    assert ["3 names share a value" in row for row in rows] == [True, *[False] * (len(rows) - 1)]
    assert HOSTILE in rows[0]
    assert "2 names share a value" in "".join(rows)
    links = [link.get_attribute("href") or "" for link in console.browser.find_elements(By.CSS_SELECTOR, "tbody a")]
    assert links[0].endswith(f"/profiles/{worst}")
    assert links[1].endswith(f"/profiles/{worst}/why")
    assert console.violations() == []


@pytest.mark.slow
def test_suspects_are_paged_and_long_values_do_not_widen_a_narrow_page(console: Console) -> None:
    add_suspect(console, LONG, "Grace", "Ann")
    console.open_in_store("suspects?pageSize=1")
    first = console.browser.find_element(By.CSS_SELECTOR, "tbody").text
    console.press("Next suspects")
    assert console.browser.find_element(By.CSS_SELECTOR, "tbody").text != first
    console.narrow()
    console.open_in_store("suspects")
    assert LONG in console.text
    assert not console.scrolls_sideways()
    assert console.violations() == []
