"""POST /v1/Stores/{storeId}/Profiles"""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.identity.profile import TraitName
from profile_lookup.web import ids
from tests.conftest import PATIENCE, WAITING, change_settings, finished, look_up, make_profile, make_store
from tests.database.contents import TRAITS, stored_events
from tests.database.stores import lock_rules_of


async def _rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    async with database.statements() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def test_the_example_of_the_contract_creates_a_profile(client: httpx.AsyncClient, store_id: str) -> None:
    contact = {
        "email": "Alyssa.Mock@example.com", "phone": "+13175551234", "lastName": "Mock", "firstName": "Alyssa",
    }  # fmt: skip
    created = await client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": {"Contact": contact}})
    assert created.status_code == 202
    assert created.json().keys() == {"message", "id"}
    assert created.json()["message"] == "Profile resolved and accepted for processing."
    assert await look_up(client, store_id, "email", "alyssa.mock@EXAMPLE.com") == [created.json()["id"]]


async def test_a_known_identifier_updates_its_profile_and_adds_new_identifiers(
    client: httpx.AsyncClient, store_id: str
) -> None:
    profile_id = await make_profile(client, store_id, phone="+13175551234")
    assert await make_profile(client, store_id, phone="317-555-1234", email="a@example.com") == profile_id
    assert await look_up(client, store_id, "email", "a@example.com") == [profile_id]


async def test_repeating_a_request_changes_no_identifier(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await make_profile(client, store_id, phone="+13175551234", email="a@example.com")
    query = "select id_type, value, profile_id, added_at from identifier order by 1, 2"
    before = await _rows(database, query)
    await make_profile(client, store_id, phone="+13175551234", email="a@example.com")
    assert await _rows(database, query) == before


async def test_a_trait_keeps_its_latest_value(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    await make_profile(client, store_id, phone="+13175551234", city="Gary")
    await make_profile(client, store_id, phone="+13175551234", city="Fishers")
    assert await _rows(database, f"select value from ({TRAITS}) where name = 'city'") == [("Fishers",)]


async def test_a_profile_has_its_traits_in_the_order_of_their_names(client: httpx.AsyncClient, store_id: str) -> None:
    profile_id = await make_profile(client, store_id, phone="+13175551234", lastName="Mock", city="Gary")
    contact = (await client.get(f"/v1/Stores/{store_id}/Profiles/{profile_id}")).json()["traits"]["Contact"]
    assert list(contact) == ["city", "lastName", "phone"]


async def test_a_merge_keeps_everything_under_the_earliest_id_and_is_recorded(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    first = await make_profile(client, store_id, chat="c-1", city="Gary")
    await make_profile(client, store_id, phone="+13175551234", city="Fishers", state="IN")
    third = await make_profile(client, store_id, email="a@example.com")
    merged = await make_profile(
        client, store_id, chat="c-1", phone="+13175551234", email="a@example.com", lastName="Mock"
    )
    assert merged == first
    assert third > first
    assert await _rows(database, "select count(*), count(distinct profile_id) from identifier") == [(3, 1)]
    assert await _rows(database, f"select name, value from ({TRAITS}) where name in ('city', 'state', 'lastName')"
                                 " order by name") == [
        ("city", "Fishers"), ("lastName", "Mock"), ("state", "IN"),
    ]  # fmt: skip
    assert await _rows(database, "select count(*), count(distinct profile_id) from alias") == [(2, 1)]
    (merge,) = await stored_events(database, "merged")
    assert (merge.rule, merge.profile_id) == ("email", ids.decoded(first))
    assert [[*profile.identifiers] for profile in merge.absorbed] == [
        [("phone", "+13175551234")], [("email", "a@example.com")],
    ]  # fmt: skip
    city = merge.before.traits[TraitName("Contact", "city")]
    assert city is not None
    assert city.value == "Gary"


async def test_an_alias_never_points_at_an_alias_through_later_merges(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    a = await make_profile(client, store_id, chat="a")
    await make_profile(client, store_id, email="b@example.com")
    await make_profile(client, store_id, phone="+13175551234")
    await make_profile(client, store_id, email="b@example.com", phone="+13175551234")
    assert await make_profile(client, store_id, chat="a", email="b@example.com") == a
    assert await _rows(
        database,
        "select count(*) from alias join profile on profile.store_id = alias.store_id and profile.id = alias.profile_id",
    ) == [(2,)]


async def test_identifiers_are_added_in_the_order_of_the_request(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await make_profile(client, store_id, whatsapp="w", chat="c", phone="+13175551234", email="a@example.com")
    assert await _rows(database, "select id_type from identifier order by added_at") == [
        ("whatsapp",), ("chat",), ("phone",), ("email",),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("traits", "code", "message"),
    [
        ({}, 520005, "Traits are required to create a profile"),
        ({"Contact": {"firstName": "Alyssa"}}, 520005, "promoted to identifiers"),
        ({"Contact": {"phone": "+13175551234", "shoeSize": "secret"}}, 520005, "Contact.shoeSize"),
        ({"Billing": {"iban": "secret"}}, 520005, "Billing"),
        ({"Contact": {"phone": "secret"}}, 520005, "Contact.phone"),
        (
            {"Contact": {"email": "a@example.com", "phone": 13175551234}},
            520005,
            "traits.Contact.phone: expected a string",
        ),
        ({"Contact": {"phone": "+13175551234", "city": None}}, 520005, "Contact.city"),
        ({"Contact": {"phone": "+13175551234", "city": 1.5}}, 520005, "Contact.city"),
        ({"Contact": {"phone": "+13175551234", "city": ["secret"]}}, 520005, "Contact.city"),
        ({"Contact": {"phone": "+13175551234", "city": "secret\0"}}, 520005, "Contact.city"),
        ({"Contact": {"phone": "+13175551234", "city": "secret" * 200}}, 520005, "1024"),
        ({"Contact": {"email": "secret@" + "x" * 300}}, 520005, "Contact.email"),
    ],
)
async def test_refused_traits_are_named_without_their_value_and_nothing_is_written(
    client: httpx.AsyncClient, store_id: str, database: Database, traits: object, code: int, message: str
) -> None:
    answer = await client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": traits})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert message in answer.json()["message"]
    assert "secret" not in answer.text
    assert await _rows(database, "select count(*) from profile") == [(0,)]


async def test_a_unique_value_outside_the_rules_is_a_conflict_and_nothing_is_written(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await change_settings(client, store_id, rules=["phone"])
    await make_profile(client, store_id, phone="+13175551234", email="a@example.com")
    answer = await client.post(
        f"/v1/Stores/{store_id}/Profiles",
        json={"traits": {"Contact": {"phone": "+442079460958", "email": "a@example.com"}}},
    )
    assert (answer.status_code, answer.json()["code"]) == (409, 20409)
    assert await look_up(client, store_id, "phone", "+442079460958") == []


async def test_the_limit_evicts_the_oldest_value_and_keeps_the_new_one(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await change_settings(client, store_id, email={"limit": 2})
    profile_id = await make_profile(client, store_id, phone="+13175551234", email="1@example.com")
    for number in (2, 3):
        await make_profile(client, store_id, phone="+13175551234", email=f"{number}@example.com")
    assert await look_up(client, store_id, "email", "1@example.com") == []
    for number in (2, 3):
        assert await look_up(client, store_id, "email", f"{number}@example.com") == [profile_id]


async def test_null_traits_are_refused_like_missing_traits(client: httpx.AsyncClient, store_id: str) -> None:
    answer = await client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": None})
    assert (answer.status_code, answer.json()["code"]) == (400, 520005)


async def test_more_identifiers_than_any_profile_may_hold_are_refused(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    traits = {f"t{number}": {"dataType": "ARRAY", "idTypePromotion": "chat"} for number in range(16)}
    groups = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    await finished(client, await client.post(groups, json={"displayName": "Chats", "traits": traits}))
    sent = {name: [f"{name}-{item}" for item in range(100)] for name in traits}
    answer = await client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": {"Chats": sent}})
    assert (answer.status_code, answer.json()["code"]) == (400, 520005)


async def test_a_profile_read_during_its_merge_is_complete_or_redirected(
    client: httpx.AsyncClient, store_id: str
) -> None:
    """All queries of a request use one snapshot, so no profile appears without its traits and identifiers."""
    for round_ in range(15):
        await make_profile(client, store_id, chat=f"c{round_}")
        merging = await make_profile(client, store_id, email=f"{round_}@example.com", city="Gary")
        path = f"/v1/Stores/{store_id}/Profiles/{merging}"
        merge = asyncio.ensure_future(make_profile(client, store_id, chat=f"c{round_}", email=f"{round_}@example.com"))
        while not merge.done():
            profile, identifiers, email = await asyncio.gather(
                client.get(path), client.get(f"{path}/Identifiers"), client.get(f"{path}/Identifiers/email")
            )
            assert profile.status_code == 301 or profile.json()["traits"]["Contact"]["city"] == "Gary"
            assert identifiers.status_code == 301 or identifiers.json()["identifiers"]
            assert email.status_code in (200, 301)
        await merge


async def test_waiting_writes_leave_connections_for_others(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    other = await make_store(client, "other")
    async with database.transaction() as connection:
        await lock_rules_of(connection, store_id)
        writes = [
            client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": {"Contact": {"chat": f"c{number}"}}})
            for number in range(40)
        ]
        waiting = [asyncio.ensure_future(write) for write in writes]
        async with asyncio.timeout(PATIENCE):
            while not await connection.scalar(text(WAITING)):
                await asyncio.sleep(0.01)
        answered = {"others": 0}
        for _ in range(20):
            assert await look_up(client, other, "chat", "c") == []
            answered["others"] += not any(write.done() for write in waiting)
        assert answered["others"]  # some answers came while all the writes still waited
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} <= {202, 503}
