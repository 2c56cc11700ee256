"""DELETE /v1/Stores/{storeId}/Profiles/{profileId} leaves no value in any table, and the IDs only in one event."""

import asyncio

import httpx

from profile_lookup.database.pool import Database
from profile_lookup.ingest.profile_erasure import holdings_of
from profile_lookup.web import ids
from tests.conftest import look_up, make_profile
from tests.database.contents import contents, stored_events

VALUES = ("first-chat", "second@example.com", "+13175551234", "Gary", "Fishers", "last@example.com")


async def _person(client: httpx.AsyncClient, store_id: str) -> list[str]:
    """Create a person by merging three profiles, and return their IDs, the canonical one first."""
    first = await make_profile(client, store_id, chat="first-chat", city="Gary")
    second = await make_profile(client, store_id, email="second@example.com", city="Fishers")
    third = await make_profile(client, store_id, phone="+13175551234")
    await make_profile(client, store_id, email="second@example.com", phone="+13175551234")
    await make_profile(client, store_id, chat="first-chat", email="second@example.com")
    await make_profile(client, store_id, chat="first-chat", email="last@example.com")
    return [first, second, third]


async def _tables_with(database: Database, *sought: str) -> list[str]:
    everything = await contents(database)
    return [name for name, rows in everything.items() if any(each in row for row in rows for each in sought)]


async def test_no_table_holds_anything_of_an_erased_person(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    people = await _person(client, store_id)
    uuids = [str(ids.decoded(each)) for each in people]
    assert set(await _tables_with(database, *VALUES, *uuids)) == {"profile", "alias", "identifier", "event"}
    answer = await client.delete(f"/v1/Stores/{store_id}/Profiles/{people[0]}")
    assert (answer.status_code, answer.json()) == (202, {"message": "Profile accepted for deletion."})
    assert await _tables_with(database, *VALUES) == []
    assert await _tables_with(database, *uuids) == ["event"]
    (erasure,) = await stored_events(database)
    assert (erasure.kind, erasure.profile_id) == ("erased", ids.decoded(people[0]))
    assert [each.id for each in erasure.absorbed] == [ids.decoded(each) for each in people[1:]]


async def test_the_counts_before_an_erasure_are_what_it_deletes(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    people = await _person(client, store_id)
    await make_profile(client, store_id, email="last@example.com", firstName="Ann", lastName="Smith")
    await make_profile(client, store_id, email="last@example.com", firstName="Bob", lastName="Jones")
    path = f"/v1/Stores/{store_id}/Profiles/{people[0]}"
    joins = (await client.get(f"{path}/Explanation")).json()["joins"]
    assert (await client.post(f"{path}/Splits", json={"events": [joins[0]["event"]]})).status_code == 202
    store, profile = ids.store_uuid(store_id), ids.decoded(people[0])
    assert store is not None
    assert profile is not None
    async with database.statements() as connection:
        held = await holdings_of(connection, store, profile)
    before = await contents(database)
    await client.delete(path)
    after = await contents(database)
    deleted = {name: len(set(rows) - set(after[name])) for name, rows in before.items()}
    assert deleted == dict.fromkeys(before, 0) | {
        "profile": 1,
        "identifier": sum(held.identifiers.values()),
        "alias": held.former_ids,
        "event": held.events,
        "separation": held.separations,
        "suspect": held.suspicions,
    }
    assert 0 not in (held.former_ids, held.events, held.separations, held.suspicions, held.traits["Contact"])


async def test_no_id_of_an_erased_person_is_found(client: httpx.AsyncClient, store_id: str) -> None:
    people = await _person(client, store_id)
    await client.delete(f"/v1/Stores/{store_id}/Profiles/{people[0]}")
    for each in people:
        for answer in (
            await client.get(f"/v1/Stores/{store_id}/Profiles/{each}"),
            await client.delete(f"/v1/Stores/{store_id}/Profiles/{each}"),
            await client.patch(f"/v1/Stores/{store_id}/Profiles/{each}", json={}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, 20404)
    assert await look_up(client, store_id, "phone", "+13175551234") == []
    assert (await client.get(f"/v1/Stores/{store_id}/Profiles")).json()["profiles"] == []


async def test_other_profiles_are_unchanged(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    people = await _person(client, store_id)
    one = await make_profile(client, store_id, chat="other", city="Rome")
    two = await make_profile(client, store_id, email="other@example.com")
    await make_profile(client, store_id, chat="other", email="other@example.com")
    await client.delete(f"/v1/Stores/{store_id}/Profiles/{people[0]}")
    uuids = [str(ids.decoded(each)) for each in (one, two)]
    assert set(await _tables_with(database, *uuids)) == {"profile", "alias", "identifier", "event"}
    assert await look_up(client, store_id, "email", "other@example.com") == [one]


async def test_a_person_who_returns_gets_a_new_profile(client: httpx.AsyncClient, store_id: str) -> None:
    profile_id = await make_profile(client, store_id, chat="c-1", city="Gary")
    await client.delete(f"/v1/Stores/{store_id}/Profiles/{profile_id}")
    again = await make_profile(client, store_id, chat="c-1")
    assert again != profile_id
    traits = (await client.get(f"/v1/Stores/{store_id}/Profiles/{again}")).json()["traits"]
    assert traits == {"Contact": {"chat": "c-1"}}


async def test_erasing_during_writes_leaves_a_complete_person_or_none(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    for number in range(15):
        profile_id = await make_profile(client, store_id, chat=f"c-{number}")
        body = {"traits": {"Contact": {"chat": f"c-{number}", "email": f"{number}@example.com"}}}
        url = f"/v1/Stores/{store_id}/Profiles"
        answers = await asyncio.gather(
            client.post(url, json=body),
            client.delete(f"{url}/{profile_id}"),
            client.post(url, json=body),
            client.post(
                f"{url}/{profile_id}/Identifiers", json={"idType": "phone", "value": f"+1317555{1000 + number}"}
            ),
        )
        assert {answer.status_code for answer in answers} <= {202, 404}
        found = await look_up(client, store_id, "chat", f"c-{number}")
        assert await look_up(client, store_id, "email", f"{number}@example.com") == found
        assert profile_id not in found
        assert await _tables_with(database, str(ids.decoded(profile_id))) == ["event"]
        erased = [each.kind for each in await stored_events(database) if each.profile_id == ids.decoded(profile_id)]
        assert erased == ["erased"]
