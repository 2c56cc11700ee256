"""The page that shows why records are one person, as a drawing and as a list."""

import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from profile_lookup.console.cookies import SESSION
from tests.console.browser import Console
from tests.console.joined_people import create, create_ann_and_bob
from tests.console.people import HOSTILE, LONG, RIGHT_TO_LEFT


def faint(console: Console) -> int:
    """Return how many records of the drawing are faint, because they came later."""
    return len(console.browser.find_elements(By.CSS_SELECTOR, ".join-graph .card[data-later]"))


def slider_of(console: Console) -> WebElement:
    return console.browser.find_element(By.ID, "joins")


def open_why(console: Console, person_id: str) -> None:
    console.open_in_store(f"profiles/{person_id}/why")


def test_the_drawing_and_the_list_have_every_record_and_every_bridge(console: Console) -> None:
    open_why(console, create_ann_and_bob(console, 1))
    names = [each.text for each in console.browser.find_elements(By.CSS_SELECTOR, ".join-graph .card .name")]
    assert sorted(names) == ["Ann Abel", "Annie", "Bob Berg", "Rob", "Robert"]
    assert "Annie: the request joined Bob Berg to this person by the rule" in console.text
    assert "Robert: the request was taken for this person." in console.text
    assert "It is a bridge: it holds 4 parts together." in console.text
    assert console.violations() == []
    console.narrow()
    assert not console.scrolls_sideways()


def test_the_slider_makes_what_came_later_faint_while_it_moves(console: Console) -> None:
    open_why(console, create_ann_and_bob(console, 2))
    slider = slider_of(console)
    assert faint(console) == 0
    slider.send_keys(Keys.ARROW_LEFT)
    assert (faint(console), slider.get_attribute("value")) == (1, "2")
    assert "join 2 of 3" in console.text
    slider.send_keys(Keys.HOME)
    assert faint(console) == 5
    assert "before the first join" in console.text
    slider.send_keys(Keys.END)
    assert faint(console) == 0


def test_without_scripts_a_button_shows_the_time_of_the_slider(console: Console) -> None:
    person_id = create_ann_and_bob(console, 3)
    console.allow_scripts(allowed=False)
    open_why(console, person_id)
    slider_of(console).send_keys(Keys.ARROW_LEFT)
    console.press("Show")
    assert console.path.endswith("/why?joins=2")
    assert faint(console) == 1
    assert "join 2 of 3" in console.text


def test_a_click_on_a_join_in_the_drawing_chooses_it_in_the_list(console: Console) -> None:
    open_why(console, create_ann_and_bob(console, 4))
    join = console.browser.find_element(By.CSS_SELECTOR, ".join-graph .card[data-join]")
    box = console.browser.find_element(By.ID, join.get_attribute("data-join") or "")
    join.click()
    assert box.is_selected()
    assert join.get_attribute("data-chosen") is not None
    box.send_keys(Keys.SPACE)
    assert join.get_attribute("data-chosen") is None


def test_hostile_names_and_values_are_shown_as_text(console: Console) -> None:
    person_id = create(console, chat=HOSTILE, email="hostile@example.com", firstName=HOSTILE)
    create(console, email="hostile@example.com", firstName=RIGHT_TO_LEFT, chat=RIGHT_TO_LEFT)
    create(console, chat=HOSTILE, firstName=LONG)
    create(console, chat=HOSTILE, phone="+13175559999", firstName=LONG)
    open_why(console, person_id)
    assert HOSTILE in console.text
    assert "علي" in console.text
    assert LONG in console.text
    assert console.browser.title == "Why is this one person? · profile-lookup"
    assert not console.scrolls_sideways()
    assert console.violations() == []
    console.narrow()
    assert not console.scrolls_sideways()


def test_somebody_whom_nothing_joined_has_no_drawing(console: Console) -> None:
    open_why(console, create(console, email="alone@example.com", firstName="Ann"))
    assert "No join is recorded." in console.text
    assert console.browser.find_elements(By.CSS_SELECTOR, ".drawing") == []
    assert console.violations() == []


def test_a_key_that_may_only_read_is_offered_no_split_and_no_block(console: Console) -> None:
    person_id = create_ann_and_bob(console, 5)
    made = console.api.post("/v1/ControlPlane/Keys", json={"name": "reader", "scopes": ["read", "lookup"]}).json()
    console.sign_in(made["sid"], made["secret"])
    open_why(console, person_id)
    assert "It is a bridge" in console.text
    assert console.browser.find_elements(By.CSS_SELECTOR, "input[type=checkbox]") == []
    assert not {"Block it…", "Show what a split would leave…"} & set(console.buttons())
    assert console.violations() == []


def test_the_page_of_a_merged_profile_leads_to_the_canonical_one(console: Console) -> None:
    ann = create(console, email="canonical@example.com", firstName="Ann")
    bob = create(console, phone="+13175558888", firstName="Bob")
    create(console, email="canonical@example.com", phone="+13175558888")
    open_why(console, bob)
    assert console.path == f"stores/{console.store_id}/profiles/{ann}/why"


@pytest.mark.parametrize(("person_id", "status"), [("mem_profile_01jzm0000000000000000000zz", 404), ("nobody", 400)])
def test_a_profile_that_does_not_exist_has_no_page(
    console_url: str, console_store: str, console_session: str, person_id: str, status: int
) -> None:
    address = f"{console_url}/console/stores/{console_store}/profiles/{person_id}/why"
    assert httpx.get(address, cookies={SESSION: console_session}).status_code == status


def test_the_page_of_many_joins_is_smaller_than_its_limit(console: Console, console_session: str) -> None:
    person_id = create(console, email="many@example.com", phone="+14155553000", firstName="Ann")
    for number in range(1, 100):
        create(console, email="many@example.com", phone=f"+1415555{3000 + number}", firstName=f"Person {number}")
    address = f"{console.base_url}/console/stores/{console.store_id}/profiles/{person_id}/why"
    assert len(httpx.get(address, cookies={SESSION: console_session}).content) < 200 * 1024
