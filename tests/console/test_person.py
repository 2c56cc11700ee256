"""A person: identifiers, traits and history, and what can be changed."""

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.console.browser import Console
from tests.console.people import (
    HOSTILE,
    LONG,
    RIGHT_TO_LEFT,
    add_identifier,
    add_merged_person,
    add_person,
    canonical_id,
    identifiers_of,
)

CHANGE = "section[aria-labelledby=identifiers] details[open]"


def open_person(console: Console, profile_id: str) -> None:
    console.open_in_store(f"profiles/{profile_id}")


def open_change(console: Console, identifier: str) -> None:
    """Open the form that changes an identifier of the person, such as `email ann@example.com`."""
    for summary in console.browser.find_elements("css selector", "summary"):
        if summary.text.split() == ["Change", *identifier.split()]:
            summary.click()
            return
    raise AssertionError(f"nothing changes {identifier}")


def test_a_merged_person_is_shown_with_all_that_is_known(console: Console) -> None:
    grace = add_merged_person(console.api, console.store_id)
    open_person(console, grace)
    for shown in (
        "Grace Hopper",
        grace,
        "1 former ID",
        "grace.hopper@example.com",
        "+13175556789",
        "Merged",
        "Created",
    ):
        assert shown in console.text
    assert "by the account" in console.text
    assert console.violations() == []
    console.button("1 former ID").click()
    for summary in console.browser.find_elements("css selector", "table summary"):
        summary.click()
    assert "G." in console.text
    assert console.violations() == []
    former = console.browser.find_element("css selector", ".person-head details li").text
    open_person(console, former)
    assert console.path.endswith(grace)


def test_a_form_about_somebody_who_was_merged_meanwhile_changes_nothing_and_leads_to_the_whole_person(
    console: Console,
) -> None:
    add_person(console.api, console.store_id, firstName="Ida", email="ida@example.com")
    later = add_person(console.api, console.store_id, firstName="Ida", phone="+13175550188")
    open_person(console, later)
    add_person(console.api, console.store_id, email="ida@example.com", phone="+13175550188")
    console.button("Add an identifier").click()
    console.fill("Value", "ida@home.example", ".add")
    console.press("Add", ".add form")
    assert "Nothing was changed" in console.text
    ida = canonical_id(console.api, console.store_id, "email", "ida@example.com")
    assert console.path.endswith(ida)
    assert identifiers_of(console.api, console.store_id, ida)["email"] == ["ida@example.com"]


def test_an_identifier_is_replaced_and_the_page_says_so(console: Console) -> None:
    ann = add_person(console.api, console.store_id, firstName="Ann", email="ann@example.com")
    open_person(console, ann)
    open_change(console, "email ann@example.com")
    assert console.violations() == []
    console.fill("New value", "ann.example.com", within=CHANGE)
    console.press("Replace")
    assert "expected an e-mail address" in console.text
    assert console.field("New value", within=CHANGE).get_property("value") == "ann.example.com"
    assert console.violations() == []
    console.fill("New value", " Ann.New@Example.com ", within=CHANGE)
    console.press("Replace")
    assert "The identifier was replaced." in console.text
    assert identifiers_of(console.api, console.store_id, ann) == {"email": ["ann.new@example.com"]}
    assert "Identifier replaced" in console.text
    assert "ann" not in console.browser.current_url
    open_person(console, ann)
    assert "The identifier was replaced." not in console.text


def test_one_identifier_is_removed_once_it_is_confirmed(console: Console) -> None:
    bob = add_person(console.api, console.store_id, firstName="Bob", email="bob@example.com", phone="+13175550001")
    open_person(console, bob)
    open_change(console, "phone +13175550001")
    console.press("Remove this one")
    assert "+13175550001" in console.text
    assert console.violations() == []
    console.press("Cancel")
    assert "phone" in identifiers_of(console.api, console.store_id, bob)
    open_change(console, "phone +13175550001")
    console.press("Remove this one")
    console.press("Remove")
    assert "The identifier was removed." in console.text
    assert identifiers_of(console.api, console.store_id, bob) == {"email": ["bob@example.com"]}


def test_a_value_of_somebody_else_joins_both_only_once_it_is_confirmed(console: Console) -> None:
    eve = add_person(console.api, console.store_id, firstName="Eve", email="eve@example.com")
    eva = add_person(console.api, console.store_id, firstName="Eva", phone="+13175550002")
    open_person(console, eva)
    console.button("Add an identifier").click()
    console.fill("Value", "eve@example.com")
    console.press("Add")
    assert "This makes them one person" in console.text
    assert "Eve" in console.text
    assert console.violations() == []
    console.press("Cancel")
    assert canonical_id(console.api, console.store_id, "phone", "+13175550002") == eva
    console.button("Add an identifier").click()
    console.fill("Value", "eve@example.com")
    console.press("Add")
    console.press("Make them one person")
    assert "The identifier was added." in console.text
    assert console.path.endswith(eve)  # the earlier ID is the canonical one
    assert canonical_id(console.api, console.store_id, "phone", "+13175550002") == eve


def test_others_who_have_the_same_value_are_named(console: Console) -> None:
    path = f"/v1/ControlPlane/Stores/{console.store_id}/IdentityResolutionSettings"
    settings = console.api.get(path).json()
    settings["identifierConfigs"].append({"idType": "household", "enforceUnique": False})
    assert console.api.put(path, json=settings).status_code == 202
    people = [
        add_person(console.api, console.store_id, firstName=f"Kid{n}", email=f"kid{n}@example.com") for n in range(5)
    ]
    for each in people:
        add_identifier(console.api, console.store_id, each, "household", "h-1")
    open_person(console, people[0])
    assert "Shared with Kid1, Kid2, Kid3 and 1 other" in console.text
    console.press("Kid1")
    assert console.path.endswith(people[1])


def test_a_long_history_has_pages(console: Console) -> None:
    carl = add_person(console.api, console.store_id, firstName="Carl", email="carl@example.com")
    for number in range(26):
        add_person(console.api, console.store_id, firstName=f"Carl{number}", email="carl@example.com")
    open_person(console, carl)
    assert "Carl25" in console.text
    assert "Created" not in console.text
    console.press("Earlier events")
    assert "Created" in console.text
    console.press("Newest events")
    assert "Created" not in console.text


def test_the_keyboard_alone_replaces_an_identifier(console: Console) -> None:
    dora = add_person(console.api, console.store_id, firstName="Dora", email="dora@example.com")
    open_person(console, dora)
    keys = ActionChains(console.browser)
    for _ in range(30):
        keys.send_keys(Keys.TAB).perform()
        if console.browser.switch_to.active_element.text.startswith("Change"):
            break
    keys.send_keys(Keys.ENTER, Keys.TAB, "dora.new@example.com", Keys.ENTER).perform()  # the field's text was selected
    console.wait_for("The identifier was replaced.")
    assert identifiers_of(console.api, console.store_id, dora) == {"email": ["dora.new@example.com"]}


def test_hostile_values_are_text_in_each_place_and_the_page_fits_a_telephone(console: Console) -> None:
    traits = {"firstName": HOSTILE, "lastName": RIGHT_TO_LEFT, "email": "mallory@example.com", "chat": LONG}
    mallory = add_person(console.api, console.store_id, **traits)
    add_person(console.api, console.store_id, firstName="Mallory", email="mallory@example.com", city=HOSTILE)
    add_identifier(console.api, console.store_id, mallory, "chat", HOSTILE)
    add_identifier(console.api, console.store_id, mallory, "chat", RIGHT_TO_LEFT)
    open_person(console, mallory)
    for hostile in (HOSTILE, RIGHT_TO_LEFT, LONG):
        assert hostile in console.text
    open_change(console, f"chat {HOSTILE}")
    assert console.field("New value", within=CHANGE).get_property("value") == HOSTILE
    console.press("Remove this one")
    assert HOSTILE in console.text
    console.press("Cancel")
    assert console.violations() == []
    console.narrow()
    assert not console.scrolls_sideways()
    assert console.violations() == []


def test_changes_need_no_javascript(console: Console) -> None:
    frank = add_person(console.api, console.store_id, firstName="Frank", email="frank@example.com")
    console.allow_scripts(allowed=False)
    open_person(console, frank)
    open_change(console, "email frank@example.com")
    console.fill("New value", "frank.new@example.com", within=CHANGE)
    console.press("Replace")
    assert "The identifier was replaced." in console.text
