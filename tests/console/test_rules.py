"""The rules of a store as forms."""

from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from tests.console.browser import Console
from tests.console.people import HOSTILE, LONG, RIGHT_TO_LEFT, add_person


def url(console: Console, path: str) -> str:
    return f"/v1/ControlPlane/Stores/{console.store_id}/{path}"


def settings(console: Console) -> dict[str, Any]:
    found: dict[str, Any] = console.api.get(url(console, "IdentityResolutionSettings")).json()
    return found


def config(console: Console, id_type: str) -> dict[str, Any]:
    (found,) = (each for each in settings(console)["identifierConfigs"] if each["idType"] == id_type)
    assert isinstance(found, dict)
    return found


def labelled(console: Console, label: str) -> WebElement:
    """Return the field of a table with this label."""
    return console.browser.find_element(By.CSS_SELECTOR, f'[aria-label="{label}"]')


def type_into(field: WebElement, text: str) -> None:
    field.clear()
    field.send_keys(text)


def test_a_refused_form_keeps_what_was_typed_and_names_the_field(console: Console) -> None:
    console.open_in_store("rules/settings")
    assert console.violations() == []
    type_into(labelled(console, "Values kept of chat"), "500")
    type_into(labelled(console, "Values kept of phone"), "33")
    console.press("Save")
    assert "Values kept of chat: expected at most 100" in console.text
    refused = labelled(console, "Values kept of chat")
    assert refused == console.browser.switch_to.active_element
    assert (refused.get_attribute("aria-invalid"), refused.get_attribute("value")) == ("true", "500")
    assert labelled(console, "Values kept of phone").get_attribute("value") == "33"
    assert config(console, "phone")["limit"] == 100
    assert console.violations() == []


def test_a_preview_shows_who_would_become_one_person_and_changes_nothing(console: Console) -> None:
    first = add_person(console.api, console.store_id, chat="Grace@Example.com")
    second = add_person(console.api, console.store_id, chat="grace@example.com")
    console.open_in_store("rules/settings")
    Select(labelled(console, "Normalization of chat")).select_by_visible_text("email")
    console.press("Preview")
    console.wait_for("Become one person")
    preview = console.browser.find_element(By.ID, "preview").text
    assert first in preview
    assert second in preview
    assert "grace@example.com" in preview
    assert Select(labelled(console, "Normalization of chat")).first_selected_option.text == "email"
    assert config(console, "chat")["normalization"] == "trim"
    assert console.violations() == []
    console.press(first)
    assert console.path == f"stores/{console.store_id}/profiles/{first}"


def test_a_type_is_added_and_its_place_makes_it_a_rule_by_keyboard_alone(console: Console) -> None:
    console.open_in_store("rules/settings")
    labelled(console, "Name of a new type").send_keys("loyalty", Keys.TAB, "2", Keys.TAB, Keys.TAB, Keys.TAB, "7")
    keys = [Keys.TAB] * 4  # over the three last fields to the preview's button, and to the one that saves
    page = console.browser.find_element(By.TAG_NAME, "html").id
    for key in [*keys, Keys.TAB, Keys.ENTER]:
        console.browser.switch_to.active_element.send_keys(key)
    console.wait_for("The settings are in force.")
    assert page != console.browser.find_element(By.TAG_NAME, "html").id
    assert config(console, "loyalty")["limit"] == 7
    assert settings(console)["matchingRules"] == ["email", "loyalty", "whatsapp", "phone", "chat", "pushUserID"]


def test_an_outdated_form_shows_both_versions_and_replaces_the_newer_one_when_it_is_sent_again(
    console: Console,
) -> None:
    console.open_in_store("rules/settings")
    type_into(labelled(console, "Values kept of whatsapp"), "11")
    newer = settings(console)
    for each in newer["identifierConfigs"]:
        each["limit"] = 22 if each["idType"] == "whatsapp" else each["limit"]
    assert console.api.put(url(console, "IdentityResolutionSettings"), json=newer).status_code == 202
    console.press("Save")
    assert "Somebody else changed this meanwhile" in console.text
    cells = [cell.text for cell in console.browser.find_elements(By.CSS_SELECTOR, "[aria-labelledby=versions] td")]
    assert cells == ["whatsapp · limit", "22", "11"]
    assert config(console, "whatsapp")["limit"] == 22
    assert console.violations() == []
    console.press("Save")
    assert "The settings are in force." in console.text
    assert config(console, "whatsapp")["limit"] == 11


def test_a_trait_group_is_created_filled_refused_and_deleted(console: Console) -> None:
    console.open_in_store("rules/trait-groups")
    assert console.violations() == []
    console.fill("Name", "Billing")
    console.press("Create")
    for name in (HOSTILE, "plan"):
        console.browser.find_elements(By.CSS_SELECTOR, "input:not([type=hidden])[name=trait]")[-1].send_keys(name)
        console.press("Save")
    assert HOSTILE in console.text
    assert console.violations() == []
    labelled(console, "Pattern of plan").send_keys("(")
    console.press("Save")
    assert "Pattern: expected a regular expression" in console.text
    assert labelled(console, "Pattern of plan").get_attribute("value") == "("
    type_into(labelled(console, "Pattern of plan"), "^(free|paid)$")
    Select(labelled(console, "Identifier of plan")).select_by_visible_text("chat")
    console.press("Save")
    group = console.api.get(url(console, "TraitGroups/Billing")).json()["traitGroup"]
    assert group["traits"]["plan"] == {
        "dataType": "STRING",
        "idTypePromotion": "chat",
        "validationRule": {"ruleType": "STRING", "pattern": "^(free|paid)$"},
    }
    assert set(group["traits"]) == {"plan", HOSTILE}
    console.button("Delete this trait group").click()
    console.press("Delete Billing and its values")
    assert console.api.get(url(console, "TraitGroups/Billing")).status_code == 404


def test_values_are_blocked_after_a_preview_of_what_would_be_lost(console: Console) -> None:
    profile_id = add_person(console.api, console.store_id, email="office@acme.example", chat=f"a{RIGHT_TO_LEFT}")
    console.open_in_store("rules/blocked-values")
    assert console.violations() == []
    for summary in console.browser.find_elements(By.CSS_SELECTOR, "details.lists summary"):
        summary.click()
    console.fill("Blocked values of email", "office@acme.example\nnobody")
    console.fill("Blocked values of chat", f"a{RIGHT_TO_LEFT}\n{HOSTILE}\n{LONG}")
    console.press("Save")
    assert "Blocked values of email: line 2: " in console.text
    assert console.field("Blocked values of email").get_attribute("aria-invalid") == "true"
    console.fill("Blocked values of email", "office@acme.example")
    console.press("Preview")
    console.wait_for("Done")
    preview = console.browser.find_element(By.ID, "preview")
    assert preview.text.count("Lose the value") == 2
    assert profile_id in preview.text
    assert console.violations() == []
    console.press("Save")
    stored = console.api.get(url(console, "BlockedValues")).json()
    assert {each["value"] for each in stored["values"]} == {"office@acme.example", f"a{RIGHT_TO_LEFT}", HOSTILE, LONG}
    assert stored["builtIn"]
    shown = console.field("Blocked values of chat").get_attribute("value") or ""
    assert shown.split("\n")[:3] == [f"a{RIGHT_TO_LEFT}", HOSTILE, LONG]


@pytest.mark.slow
def test_an_outdated_trait_group_shows_both_versions_and_keeps_what_others_added(console: Console) -> None:
    group = url(console, "TraitGroups/Tariff")
    traits = {"plan": {"dataType": "STRING"}}
    console.api.post(url(console, "TraitGroups"), json={"displayName": "Tariff", "traits": traits})
    console.open_in_store("rules/trait-group?name=Tariff")
    labelled(console, "Description of plan").send_keys("mine")
    newer = {"plan": {"dataType": "STRING", "description": "theirs"}, "new": {"dataType": "NUMBER"}}
    assert console.api.patch(group, json={"traits": newer}).status_code == 202
    console.press("Save")
    cells = [cell.text for cell in console.browser.find_elements(By.CSS_SELECTOR, "[aria-labelledby=versions] td")]
    assert cells == ["plan · description", "theirs", "mine"]
    console.press("Save")
    stored = console.api.get(group).json()["traitGroup"]["traits"]
    assert stored == {"plan": {"dataType": "STRING", "description": "mine"}, "new": {"dataType": "NUMBER"}}


@pytest.mark.slow
def test_outdated_blocked_values_show_both_versions(console: Console) -> None:
    console.open_in_store("rules/blocked-values")
    assert console.api.put(url(console, "BlockedValues"), json={"builtIn": False}).status_code == 202
    console.press("Save")
    assert "Somebody else changed this meanwhile" in console.text
    assert "builtIn" in console.text
    assert console.violations() == []


@pytest.mark.slow
def test_rules_work_without_scripts_and_on_a_telephone(console: Console) -> None:
    console.allow_scripts(allowed=False)
    console.narrow()
    for path in ("rules/settings", "rules/trait-groups", "rules/trait-group?name=Contact", "rules/blocked-values"):
        console.open_in_store(path)
        assert not console.scrolls_sideways()
    console.open_in_store("rules/settings")
    console.press("Preview")
    link = console.button("Follow the preview in a new tab").get_attribute("href")
    assert link is not None
    console.browser.get(link)
    console.wait_for("Done")
    assert "These rules would change nobody" in console.text


@pytest.mark.slow
def test_a_key_without_the_scope_is_offered_no_rules(console: Console) -> None:
    key = console.api.post("/v1/ControlPlane/Keys", json={"name": "reader", "scopes": ["lookup", "read"]}).json()
    console.sign_in(key["sid"], key["secret"])
    assert "Rules" not in console.buttons()
    assert "Suspects" in console.buttons()
    console.open_in_store("rules/settings")
    assert "scope manage" in console.text
    console.open_in_store("imports")
    assert "Upload and check" not in console.buttons()


@pytest.mark.slow
def test_a_key_that_may_not_read_sees_a_preview_without_links_to_people(console: Console) -> None:
    profile_id = add_person(console.api, console.store_id, email="unread@acme.example")
    key = console.api.post("/v1/ControlPlane/Keys", json={"name": "ruler", "scopes": ["manage"]}).json()
    console.sign_in(key["sid"], key["secret"])
    console.open_in_store("rules/blocked-values")
    console.browser.find_element(By.CSS_SELECTOR, "details.lists summary").click()
    console.fill("Blocked values of email", "unread@acme.example")
    console.press("Preview")
    console.wait_for("Done")
    preview = console.browser.find_element(By.ID, "preview")
    assert profile_id in preview.text
    assert preview.find_elements(By.CSS_SELECTOR, "a[href*=profiles]") == []


@pytest.mark.slow
def test_settings_for_which_values_are_rewritten_lead_to_their_operation(console: Console) -> None:
    add_person(console.api, console.store_id, whatsapp="WA@example.com")
    console.open_in_store("rules/settings")
    Select(labelled(console, "Normalization of whatsapp")).select_by_visible_text("email")
    console.press("Save")
    assert console.path.startswith("operations/mem_operation_")
    assert "A worker rewrites stored values" in console.text
    console.wait_for("Ended")
    assert config(console, "whatsapp")["normalization"] == "email"
