"""The console is used by the keyboard alone, and in dark colors. Most other tests also check that of their pages."""

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.console.browser import Console
from tests.console.joined_people import create_ann_and_bob


def test_somebody_signs_in_looks_somebody_up_and_sees_why_by_tab_and_enter_alone(console: Console) -> None:
    person_id = create_ann_and_bob(console, 4001)
    console.browser.delete_all_cookies()
    console.open("sign-in")
    console.type(console.account[0], Keys.TAB, console.account[1], Keys.ENTER)
    console.wait_for("Who is calling?")
    console.type("ann4001@example.com", Keys.ENTER)
    console.wait_for("One person")
    console.tab_to("Rob Berg")
    console.type(Keys.ENTER)
    console.wait_for("History")
    assert console.path == f"stores/{console.store_id}/profiles/{person_id}"
    console.tab_to("Why one person?")
    console.type(Keys.ENTER)
    console.wait_for("The joins")
    console.tab_to("Rob Berg")
    assert console.browser.find_element(By.CSS_SELECTOR, ".back a") == console.browser.switch_to.active_element
    console.type(Keys.ENTER)
    console.wait_for("History")
    assert console.path == f"stores/{console.store_id}/profiles/{person_id}"


def test_a_text_that_has_too_little_contrast_in_dark_colors_alone_is_found(console: Console) -> None:
    console.open_in_store()
    assert console.violations() == []
    console.browser.execute_script("document.querySelector('h1').style.color = '#171a21'")
    assert [each.split(":")[:2] for each in console.violations()] == [["dark", " color-contrast"]]
