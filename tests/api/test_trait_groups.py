"""/v1/ControlPlane/Stores/{storeId}/TraitGroups"""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.identity.profile import TraitValue
from profile_lookup.web import ids
from tests.conftest import PATIENCE, change_settings, finished, look_up, make_profile
from tests.database.contents import TRAITS, contents, stored_events

BILLING: dict[str, Any] = {
    "displayName": "Billing",
    "description": "What they pay",
    "traits": {
        "plan": {
            "dataType": "STRING",
            "description": "The tariff",
            "validationRule": {"ruleType": "STRING", "pattern": "^(free|paid)$", "minLength": 1, "maxLength": 9},
        },
        "seats": {"dataType": "NUMBER", "validationRule": {"ruleType": "NUMBER", "min": 1, "max": 5000000}},
        "isTrial": {"dataType": "BOOLEAN", "validationRule": {"ruleType": "BOOLEAN"}},
        "tags": {"dataType": "ARRAY", "validationRule": {"ruleType": "ARRAY", "minItems": 1, "maxItems": 3}},
        "customerNumber": {"dataType": "STRING", "idTypePromotion": "chat"},
    },
}


@pytest.fixture
def groups(store_id: str) -> str:
    return f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"


@pytest.fixture
def profiles(store_id: str) -> str:
    return f"/v1/Stores/{store_id}/Profiles"


@pytest.fixture
async def billing(client: httpx.AsyncClient, groups: str) -> str:
    """Create the group `Billing`, and return its URL."""
    accepted = await client.post(groups, json=BILLING)
    operation = await finished(client, accepted)
    assert (operation["status"], operation["result"]["id"]) == ("COMPLETED", "Billing")
    return f"{groups}/Billing"


def _refusal(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["code"]


async def _values(database: Database) -> list[str]:
    async with database.statements() as connection:
        return [str(row) for row in await connection.execute(text(TRAITS))]


async def test_a_group_is_fetched_as_it_was_created(client: httpx.AsyncClient, billing: str) -> None:
    answer = await client.get(billing)
    assert answer.json() == {"traitGroup": BILLING | {"version": 1}, "meta": {"key": "traitGroup", "pageSize": 1}}
    assert answer.headers["ETag"]


@pytest.mark.parametrize("query", ["pageSize=1&orderBy=ASC", "pageSize=100&orderBy=DESC", "PageSize=2"])
async def test_a_group_is_one_page_whatever_its_size_and_order(
    client: httpx.AsyncClient, billing: str, query: str
) -> None:
    assert (await client.get(f"{billing}?{query}")).json() == (await client.get(billing)).json()


@pytest.mark.parametrize("query", ["pageSize=0", "pageSize=101", "orderBy=asc", "pageToken=x", "PageToken=x"])
async def test_a_request_for_another_page_of_a_group_is_refused(
    client: httpx.AsyncClient, billing: str, query: str
) -> None:
    assert _refusal(await client.get(f"{billing}?{query}")) == (400, 520046)


async def test_a_rule_of_an_empty_type_is_none(client: httpx.AsyncClient, groups: str) -> None:
    traits = {"plan": {"dataType": "STRING", "validationRule": {"ruleType": ""}}}
    await finished(client, await client.post(groups, json={"displayName": "Plans", "traits": traits}))
    assert (await client.get(f"{groups}/Plans")).json()["traitGroup"]["traits"] == {"plan": {"dataType": "STRING"}}
    changed = {"traits": {"tier": traits["plan"]}}
    assert (await client.patch(f"{groups}/Plans", json=changed)).status_code == 202
    assert (await client.get(f"{groups}/Plans")).json()["traitGroup"]["traits"]["tier"] == {"dataType": "STRING"}
    more = {"plan": {"dataType": "STRING", "validationRule": {"ruleType": "", "pattern": "x"}}}
    assert _refusal(await client.post(groups, json={"displayName": "More", "traits": more})) == (400, 520046)


async def test_a_group_needs_only_a_name(client: httpx.AsyncClient, groups: str) -> None:
    accepted = await client.post(groups, json={"displayName": "a.b-c_D9"})
    assert accepted.json()["message"] == "TraitGroup creation request accepted."
    assert (await client.get(f"{groups}/a.b-c_D9")).json()["traitGroup"] == {
        "displayName": "a.b-c_D9", "traits": {}, "version": 1,
    }  # fmt: skip


async def test_the_definitions_may_be_left_out(client: httpx.AsyncClient, billing: str) -> None:
    answer = await client.get(billing, params={"includeTraits": "false"})
    assert answer.json()["traitGroup"] == {"displayName": "Billing", "description": "What they pay", "version": 1}


async def test_a_list_contains_the_definitions_only_on_request(
    client: httpx.AsyncClient, groups: str, billing: str
) -> None:
    answer = (await client.get(groups)).json()
    assert answer["traitGroups"] == [
        {"displayName": "Billing", "description": "What they pay", "version": 1},
        {"displayName": "Contact", "version": 1},
    ]
    assert answer["meta"] == {"key": "traitGroups", "pageSize": 2}
    answer = (await client.get(groups, params={"includeTraits": "true", "orderBy": "ASC"})).json()
    assert [group["displayName"] for group in answer["traitGroups"]] == ["Contact", "Billing"]
    assert answer["traitGroups"][1] == BILLING | {"version": 1}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"displayName": ""},
        {"displayName": "two words"},
        {"displayName": "newline\n"},
        {"displayName": "x" * 65},
        {"displayName": "x", "unknown": 1},
        {"displayName": "x", "description": "x" * 1025},
        {"displayName": "x", "description": "\0"},
        {"displayName": "x", "traits": []},
        {"displayName": "x", "traits": {"": {"dataType": "STRING"}}},
        {"displayName": "x", "traits": {"t" * 65: {"dataType": "STRING"}}},
        {"displayName": "x", "traits": {"t\0": {"dataType": "STRING"}}},
        *[
            {"displayName": "x", "traits": {"t": definition}}
            for definition in (
                {},
                {"dataType": ""},
                {"dataType": "string"},
                {"dataType": "STRING", "unknown": 1},
                {"dataType": "STRING", "idTypePromotion": "crm"},
                {"dataType": "STRING", "idTypePromotion": ""},
                {"dataType": "STRING", "description": "x" * 1025},
                {"dataType": "STRING", "validationRule": {}},
                {"dataType": "STRING", "validationRule": {"ruleType": "string"}},
                {"dataType": "STRING", "validationRule": {"ruleType": "NUMBER"}},
                {"dataType": "NUMBER", "validationRule": {"ruleType": "STRING"}},
                {"dataType": "STRING", "validationRule": {"ruleType": "STRING", "min": 1}},
                {"dataType": "STRING", "validationRule": {"ruleType": "STRING", "minLength": -1}},
                {"dataType": "STRING", "validationRule": {"ruleType": "STRING", "maxLength": 0}},
                {"dataType": "STRING", "validationRule": {"ruleType": "STRING", "minLength": 3, "maxLength": 2}},
                {"dataType": "STRING", "validationRule": {"ruleType": "STRING", "pattern": "("}},
                {"dataType": "STRING", "validationRule": {"ruleType": "STRING", "pattern": "(?=a)"}},
                {"dataType": "STRING", "validationRule": {"ruleType": "STRING", "pattern": r"(a)\1"}},
                {"dataType": "STRING", "validationRule": {"ruleType": "STRING", "pattern": "x" * 1001}},
                {"dataType": "STRING", "validationRule": {"ruleType": "STRING", "pattern": "((a{100}){100}){100}"}},
                {"dataType": "NUMBER", "validationRule": {"ruleType": "NUMBER", "min": 2, "max": 1}},
                {"dataType": "NUMBER", "validationRule": {"ruleType": "NUMBER", "min": 10**400}},
                {"dataType": "ARRAY", "validationRule": {"ruleType": "ARRAY", "minItems": 2, "maxItems": 1}},
            )
        ],
    ],
)
async def test_a_group_that_breaks_the_contract_is_refused(
    client: httpx.AsyncClient, groups: str, body: dict[str, Any]
) -> None:
    assert _refusal(await client.post(groups, json=body)) == (400, 520046)
    assert len((await client.get(groups)).json()["traitGroups"]) == 1


@pytest.mark.parametrize("bound", ["1e999", "-1e999", "NaN", "Infinity"])
async def test_a_bound_that_cannot_be_stored_is_refused(client: httpx.AsyncClient, groups: str, bound: str) -> None:
    rule = f'{{"ruleType": "NUMBER", "min": {bound}}}'
    content = f'{{"displayName": "x", "traits": {{"t": {{"dataType": "NUMBER", "validationRule": {rule}}}}}}}'
    answer = await client.post(groups, content=content, headers={"Content-Type": "application/json"})
    assert _refusal(answer) == (400, 520046)


async def test_a_promotion_must_name_a_configured_type(client: httpx.AsyncClient, groups: str, store_id: str) -> None:
    group = {"displayName": "Crm", "traits": {"number": {"dataType": "STRING", "idTypePromotion": "crm"}}}
    answer = await client.post(groups, json=group)
    assert answer.json()["message"].endswith("expected one of email, whatsapp, phone, chat, pushUserID")
    await change_settings(client, store_id, crm={}, rules=["crm"])
    assert (await client.post(groups, json=group)).status_code == 202
    body = {"traits": {"Crm": {"number": " 7 "}}}
    created = await client.post(f"/v1/Stores/{store_id}/Profiles", json=body)
    assert await look_up(client, store_id, "crm", "7") == [created.json()["id"]]


async def test_a_name_can_be_taken_once_even_by_concurrent_requests(client: httpx.AsyncClient, groups: str) -> None:
    answers = await asyncio.gather(*[client.post(groups, json={"displayName": "Billing"}) for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 5
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {520055}
    assert _refusal(await client.post(groups, json={"displayName": "Contact"})) == (409, 520055)


async def test_a_store_has_at_most_fifty_groups(client: httpx.AsyncClient, groups: str) -> None:
    for number in range(49):
        assert (await client.post(groups, json={"displayName": f"g{number}"})).status_code == 202
    assert _refusal(await client.post(groups, json={"displayName": "g49"})) == (400, 520053)


async def test_a_group_has_at_most_ninety_five_traits(client: httpx.AsyncClient, groups: str) -> None:
    traits = {f"t{number}": {"dataType": "STRING"} for number in range(96)}
    assert _refusal(await client.post(groups, json={"displayName": "Many", "traits": traits})) == (400, 520054)
    del traits["t95"]
    assert (await client.post(groups, json={"displayName": "Many", "traits": traits})).status_code == 202
    one_more = {"traits": {"t95": {"dataType": "STRING"}}}
    assert _refusal(await client.patch(f"{groups}/Many", json=one_more)) == (400, 520054)
    instead = {"traits": {"t95": {"dataType": "STRING"}, "t0": {"dataType": ""}}}
    assert (await client.patch(f"{groups}/Many", json=instead)).status_code == 202


@pytest.mark.parametrize("name", ["Nothing", "contact", "%00", "%F0%9F%98%80"])
async def test_an_unknown_group_is_not_found(client: httpx.AsyncClient, groups: str, name: str) -> None:
    for answer in (
        await client.get(f"{groups}/{name}"),
        await client.patch(f"{groups}/{name}", json={"description": "x"}),
        await client.delete(f"{groups}/{name}"),
    ):
        assert _refusal(answer) == (404, 520047)


async def test_a_change_replaces_and_adds_traits_and_keeps_the_rest(client: httpx.AsyncClient, billing: str) -> None:
    traits = {"plan": {"dataType": "STRING"}, "iban": {"dataType": "STRING"}}
    changed = await client.patch(billing, json={"traits": traits})
    assert changed.json()["message"] == "TraitGroup update request accepted."
    assert (await finished(client, changed))["result"]["id"] == "Billing"
    group = (await client.get(billing)).json()["traitGroup"]
    assert group == BILLING | {"traits": BILLING["traits"] | traits, "version": 2}


async def test_a_description_can_be_changed_and_emptied(client: httpx.AsyncClient, billing: str) -> None:
    for description in ("What they paid", ""):
        await client.patch(billing, json={"description": description})
        group = (await client.get(billing)).json()["traitGroup"]
        assert group["description"] == description
        assert group["traits"] == BILLING["traits"]


@pytest.mark.parametrize("body", [{}, {"description": None}, {"displayName": "x"}, {"traits": {"t": None}}, []])
async def test_a_patch_that_breaks_the_contract_is_refused(
    client: httpx.AsyncClient, billing: str, body: object
) -> None:
    assert _refusal(await client.patch(billing, json=body)) == (400, 520046)


@pytest.mark.parametrize("definition", [
    {"dataType": ""}, {"dataType": "NUMBER"}, {"dataType": "STRING"}, {"dataType": "STRING", "idTypePromotion": "chat"},
])  # fmt: skip
async def test_the_identifying_traits_of_contact_are_protected(
    client: httpx.AsyncClient, groups: str, definition: dict[str, str]
) -> None:
    answer = await client.patch(f"{groups}/Contact", json={"traits": {"email": definition}})
    assert _refusal(answer) == (400, 520050)
    assert (await client.get(f"{groups}/Contact")).json()["traitGroup"]["version"] == 1


async def test_contact_cannot_be_deleted(client: httpx.AsyncClient, groups: str) -> None:
    assert _refusal(await client.delete(f"{groups}/Contact")) == (400, 520050)


async def test_contact_may_have_custom_rules_and_traits(client: httpx.AsyncClient, groups: str, profiles: str) -> None:
    rule = {"ruleType": "STRING", "maxLength": 3}
    traits = {"city": {"dataType": "STRING", "validationRule": rule}, "shoeSize": {"dataType": "NUMBER"}}
    assert (await client.patch(f"{groups}/Contact", json={"traits": traits})).status_code == 202
    too_long = {"traits": {"Contact": {"chat": "c", "city": "Gary"}}}
    assert _refusal(await client.post(profiles, json=too_long)) == (400, 520005)
    good = {"traits": {"Contact": {"chat": "c", "city": "Rom", "shoeSize": 42}}}
    assert (await client.post(profiles, json=good)).status_code == 202
    assert (await client.patch(f"{groups}/Contact", json={"traits": {"shoeSize": {"dataType": ""}}})).status_code == 202


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        ({"plan": "s3cr3t"}, "Billing.plan: expected what the trait's pattern matches"),
        ({"seats": 0}, "Billing.seats: expected at least 1"),
        ({"seats": 5000001}, "Billing.seats: expected at most 5000000"),
        ({"tags": []}, "Billing.tags: expected at least 1 items"),
        ({"tags": ["s3cr3t"] * 4}, "Billing.tags: expected at most 3 items"),
    ],
)
async def test_a_value_that_breaks_a_rule_is_refused_with_the_name_of_the_trait(
    client: httpx.AsyncClient, billing: str, profiles: str, traits: dict[str, Any], message: str
) -> None:
    answer = await client.post(profiles, json={"traits": {"Contact": {"chat": "c"}, "Billing": traits}})
    assert _refusal(answer) == (400, 520005)
    assert message in answer.json()["message"]
    assert "s3cr3t" not in answer.text


async def test_a_new_rule_does_not_change_stored_values(client: httpx.AsyncClient, billing: str, profiles: str) -> None:
    created = await client.post(profiles, json={"traits": {"Contact": {"chat": "c"}, "Billing": {"seats": 7}}})
    rule = {"ruleType": "NUMBER", "max": 5}
    await client.patch(billing, json={"traits": {"seats": {"dataType": "NUMBER", "validationRule": rule}}})
    profile = await client.get(f"{profiles}/{created.json()['id']}")
    assert profile.json()["traits"]["Billing"] == {"seats": 7}


async def test_the_values_of_a_removed_trait_are_hidden_at_once_and_then_erased(
    client: httpx.AsyncClient, billing: str, profiles: str, database: Database
) -> None:
    ids = []
    for number in range(3):
        traits = {"Contact": {"chat": f"c-{number}"}, "Billing": {"seats": 7, "plan": "paid"}}
        ids.append((await client.post(profiles, json={"traits": traits})).json()["id"])
    changed = await client.patch(billing, json={"traits": {"plan": {"dataType": ""}}})
    profile = await client.get(f"{profiles}/{ids[0]}")
    assert profile.json()["traits"]["Billing"] == {"seats": 7}
    assert (await finished(client, changed))["result"]["id"] == "Billing"
    assert not any("paid" in row for row in await _values(database))
    assert sum("seats" in row for row in await _values(database)) == 3


async def test_deleting_a_group_deletes_its_values_but_keeps_the_identifiers(
    client: httpx.AsyncClient, groups: str, billing: str, profiles: str, store_id: str, database: Database
) -> None:
    traits = {"Contact": {"city": "Gary"}, "Billing": {"customerNumber": "n-1", "plan": "paid"}}
    profile_id = (await client.post(profiles, json={"traits": traits})).json()["id"]
    deleted = await client.delete(billing)
    assert deleted.json()["message"] == "TraitGroup deletion request accepted."
    assert _refusal(await client.get(billing)) == (404, 520047)
    assert (await client.get(f"{profiles}/{profile_id}")).json()["traits"] == {"Contact": {"city": "Gary"}}
    assert (await finished(client, deleted))["status"] == "COMPLETED"
    assert len(await _values(database)) == 1
    assert await look_up(client, store_id, "chat", "n-1") == [profile_id]


async def test_a_trait_or_group_cannot_be_redefined_while_it_is_being_removed(
    client: httpx.AsyncClient, groups: str, billing: str, profiles: str, database: Database
) -> None:
    await client.post(profiles, json={"traits": {"Contact": {"chat": "c"}, "Billing": {"plan": "paid", "seats": 7}}})
    async with database.transaction() as holding:
        # The worker has to wait for this lock.
        parameters = {"store_id": ids.decoded(profiles.split("/")[3])}
        await holding.execute(text("select from profile where store_id = :store_id for update"), parameters)
        removed = await client.patch(billing, json={"traits": {"plan": {"dataType": ""}}})
        again = {"traits": {"plan": {"dataType": "STRING"}}}
        assert _refusal(await client.patch(billing, json=again)) == (409, 20409)
        assert (await client.patch(billing, json={"traits": {"iban": {"dataType": "STRING"}}})).status_code == 202
        deleted = await client.delete(billing)
        assert _refusal(await client.post(groups, json=BILLING)) == (409, 20409)
        assert (await client.post(groups, json={"displayName": "Third"})).status_code == 202
    assert [(await finished(client, each))["status"] for each in (removed, deleted)] == ["COMPLETED"] * 2
    assert (await client.post(groups, json=BILLING)).status_code == 202
    profile_id = (await client.get(profiles)).json()["profiles"][0]
    assert (await client.get(f"{profiles}/{profile_id}")).json()["traits"] == {"Contact": {"chat": "c"}}


async def test_a_removed_trait_does_not_survive_in_a_concurrent_merge(
    client: httpx.AsyncClient, billing: str, profiles: str, store_id: str, database: Database
) -> None:
    for contact in ({"chat": "c"}, {"email": "e@example.com"}):
        await client.post(profiles, json={"traits": {"Contact": contact, "Billing": {"plan": "paid"}}})
    changed = await client.patch(billing, json={"traits": {"plan": {"dataType": ""}}})
    await make_profile(client, store_id, chat="c", email="e@example.com")
    await finished(client, changed)
    everything = await contents(database)
    assert not any("paid" in row for name in ("profile", "event") for row in everything[name])


@pytest.mark.parametrize("removal", ["of a trait", "of the group"])
async def test_a_removed_trait_is_deleted_from_the_merge_history_and_nothing_else_is(
    client: httpx.AsyncClient, billing: str, profiles: str, store_id: str, database: Database, removal: str
) -> None:
    for number, contact in enumerate(({"chat": "c", "city": "Gary"}, {"email": "e@example.com"})):
        traits = {"Contact": contact, "Billing": {"plan": "paid", "seats": number + 1}}
        await client.post(profiles, json={"traits": traits})
    await make_profile(client, store_id, chat="c", email="e@example.com")

    async def absorbed_traits() -> dict[str, TraitValue]:
        (merge,) = await stored_events(database, "merged")
        return {name.name: trait.value for name, trait in merge.absorbed[0].traits.items()}

    before = await absorbed_traits()
    assert before["plan"] == "paid"
    if removal == "of a trait":
        removed = await client.patch(billing, json={"traits": {"plan": {"dataType": ""}}})
    else:
        removed = await client.delete(billing)
    assert (await finished(client, removed))["status"] == "COMPLETED"
    deleted_traits = {"plan"} if removal == "of a trait" else {"plan", "seats"}
    assert await absorbed_traits() == {name: value for name, value in before.items() if name not in deleted_traits}
    assert not any("paid" in row for rows in (await contents(database)).values() for row in rows if "plan" not in row)


async def test_contact_can_be_changed_even_if_a_type_is_no_longer_configured(
    client: httpx.AsyncClient, groups: str, store_id: str
) -> None:
    url = f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"
    body = {"identifierConfigs": [{"idType": "phone"}], "matchingRules": ["phone"]}
    await finished(client, await client.put(url, json=body))
    email = {"dataType": "STRING", "idTypePromotion": "email", "description": "Where we write to"}
    assert (await client.patch(f"{groups}/Contact", json={"traits": {"email": email}})).status_code == 202
    other = {"dataType": "STRING", "idTypePromotion": "crm"}
    assert _refusal(await client.patch(f"{groups}/Contact", json={"traits": {"other": other}})) == (400, 520046)


async def test_writes_during_a_change_of_a_group_use_the_old_or_the_new_definition(
    client: httpx.AsyncClient, billing: str, profiles: str, database: Database
) -> None:
    """A removed trait's value is never stored after its removal."""
    has_ended = asyncio.Event()
    statuses: set[int] = set()

    async def write(writer: int) -> None:
        number = 0
        while not has_ended.is_set():
            traits = {"Contact": {"chat": f"{writer}-{number}"}, "Billing": {"seats": 7}}
            statuses.add((await client.post(profiles, json={"traits": traits})).status_code)
            number += 1

    async def wait_for_status(status: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while status not in statuses:
                await asyncio.sleep(0.01)

    writers = [asyncio.create_task(write(writer)) for writer in range(4)]
    await wait_for_status(202)
    removed = await client.patch(billing, json={"traits": {"seats": {"dataType": ""}}})
    assert (await finished(client, removed))["status"] == "COMPLETED"
    await wait_for_status(400)
    has_ended.set()
    await asyncio.gather(*writers)
    assert statuses == {202, 400}
    assert not any("seats" in row for row in await _values(database))
