"""The account's API keys: who may do what, and how keys are made, changed and revoked."""

from typing import Any

import httpx
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.console.browser import Console
from tests.console.people import HOSTILE, RIGHT_TO_LEFT


def test_a_key_is_made_and_its_secret_is_shown_once(console: Console) -> None:
    console.open("keys")
    console.press("Make a key")
    assert console.violations() == []
    console.fill("Name", "front desk")
    console.field(_scope_label("write")).click()
    console.fill("Requests a second", "2.5")
    console.fill("At once", "5")
    console.press("Make the key")
    assert console.violations() == []
    sid, secret = (each.text for each in console.browser.find_elements(By.CSS_SELECTOR, ".secret"))
    assert secret not in console.browser.current_url
    key = _key(console, sid)
    assert (key["name"], key["scopes"], key["storeIds"]) == (
        "front desk",
        ["lookup", "read", "write"],
        [console.store_id],
    )
    assert key["rateLimit"] == {"perSecond": 2.5, "burst": 5}
    answer = httpx.get(f"{console.base_url}/v1/Stores/{console.store_id}/Profiles", auth=(sid, secret))
    assert answer.status_code == 200
    console.press("I have copied it")
    assert "front desk" in console.text
    assert secret not in console.browser.page_source
    assert console.violations() == []


def test_a_form_that_was_just_sent_is_not_sent_again_by_a_double_click(console: Console) -> None:
    console.open("keys/new")
    send = "return arguments[0].form.dispatchEvent(new SubmitEvent('submit', {bubbles: true, cancelable: true}))"
    button = console.button("Make the key")
    assert [console.browser.execute_script(send, button) for _ in range(2)] == [True, False]


def test_a_key_is_changed_unless_somebody_else_has_changed_it(console: Console) -> None:
    key = _make_key(console, "lookup", name="before")
    console.open(f"keys/{key['sid']}")
    assert console.violations() == []
    console.fill("Name", "after")
    console.browser.execute_script("arguments[0].value = '2031-01-15T10:15'", console.field("Expires (UTC)"))
    console.press("Save")
    assert "The key was changed" in console.text
    assert (_key(console, key["sid"])["name"], _key(console, key["sid"])["expiresAt"]) == (
        "after",
        "2031-01-15T10:15:00Z",
    )
    console.api.patch(_path(key["sid"]), json={"name": "meanwhile"})
    console.fill("Name", "too late")
    console.press("Save")
    assert "Somebody else has changed this" in console.text
    assert console.field("Name").get_property("value") == "too late"
    assert _key(console, key["sid"])["name"] == "meanwhile"


@pytest.mark.slow
def test_a_refused_form_says_which_field_is_wrong(console: Console) -> None:
    console.open("keys/new")
    console.fill("Name", HOSTILE)
    console.fill("Requests a second", "fast")
    console.press("Make the key")
    assert "Requests a second: expected a number." in console.text
    assert console.field("Requests a second").get_attribute("aria-invalid") == "true"
    assert console.field("Name").get_property("value") == HOSTILE
    assert console.violations() == []


@pytest.mark.slow
def test_a_revoked_key_is_refused(console: Console) -> None:
    key = _make_key(console, "lookup", name="lost")
    console.open(f"keys/{key['sid']}")
    console.button("Revoke this key").click()
    console.press("Revoke it for good")
    assert f"{key['sid']} was revoked" in console.text
    assert console.api.get(_path(key["sid"])).status_code == 404


@pytest.mark.slow
def test_hostile_names_are_shown_as_text(console: Console) -> None:
    for name in (HOSTILE, RIGHT_TO_LEFT, "w" * 128):
        key = _make_key(console, "lookup", name=name)
        console.open(f"keys/{key['sid']}")
        assert name in console.text
    console.open("keys")
    assert HOSTILE in console.text
    console.narrow()
    assert not console.scrolls_sideways()
    assert console.violations() == []


def test_a_key_is_offered_what_it_may_do_and_no_more(console: Console) -> None:
    _make_key(console, "manage", name="for all stores")
    manager = _make_key(console, "lookup", "manage", storeIds=[console.store_id])
    console.sign_in(manager["sid"], manager["secret"])
    console.open("keys")
    assert "for all stores" not in console.text
    assert "yours" in console.text
    console.open("keys/new")
    assert "All stores" not in console.text
    assert _scope_label("write") not in [each.text for each in console.browser.find_elements(By.TAG_NAME, "label")]
    reader = _make_key(console, "lookup", "read")
    console.sign_in(reader["sid"], reader["secret"])
    assert {"Keys", "Operations"}.isdisjoint(console.buttons())
    console.open("keys")
    assert "does not have the scope manage" in console.text


@pytest.mark.slow
def test_the_keyboard_alone_makes_a_key(console: Console) -> None:
    console.open("keys/new")
    keys = ActionChains(console.browser)
    console.field("Name").send_keys("by keyboard")
    keys.send_keys(Keys.TAB, Keys.TAB, Keys.TAB, Keys.SPACE).perform()  # the third scope is `write`
    for _ in range(20):
        keys.send_keys(Keys.TAB).perform()
        if console.browser.switch_to.active_element.text == "Make the key":
            break
    keys.send_keys(Keys.ENTER).perform()
    console.wait_for("The key was made")
    key = _key(console, console.browser.find_element(By.CSS_SELECTOR, ".secret").text)
    assert key["scopes"] == ["lookup", "read", "write"]


def _make_key(console: Console, *scopes: str, **more: object) -> dict[str, Any]:
    answer = console.api.post("/v1/ControlPlane/Keys", json={"scopes": scopes, **more})
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


def _path(sid: str) -> str:
    return f"/v1/ControlPlane/Keys/{sid}"


def _key(console: Console, sid: str) -> dict[str, Any]:
    key: dict[str, Any] = console.api.get(_path(sid)).json()
    return key


def _scope_label(scope: str) -> str:
    return {"write": "write change, split and erase people, and import files"}[scope]
