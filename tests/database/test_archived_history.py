"""An archive keeps the history of its profiles: a restored store shows, orders and splits like the original one."""

import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given, settings
from sqlalchemy import text

from profile_lookup.archives.errors import RestoreRefused
from profile_lookup.archives.wire.event import ArchivedEvent
from profile_lookup.database.event_rows import events_of, ids_of_people
from profile_lookup.database.pool import Database
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.forgetting import ended, identifiers_of, without_identifiers
from profile_lookup.identity.history.splitting import Person, split
from profile_lookup.ingest.locked_profiles import profiles_with
from profile_lookup.web import ids
from tests.conftest import change_settings, look_up, make_profile, make_store
from tests.database.archived_stores import exported, restore_lines, rules_of
from tests.database.contents import stored_events
from tests.history.splits import joins_of, parts_after, separated_from
from tests.identity.history.memory_store import MemoryStore
from tests.identity.history.random_writes import MIXED, RandomWrite, kinds, writes

SPLIT_ID = UUID(int=17)


@pytest.fixture
async def original(client: httpx.AsyncClient, store_id: str) -> str:
    """A store with a person of many events, and two people to whom nothing has happened since their creation."""
    await change_settings(client, store_id, chat={"limit": 2})
    person = await make_profile(client, store_id, email="a@example.com", city="Gary")
    await make_profile(client, store_id, chat="c-1", city="Rome")
    await make_profile(client, store_id, phone="+13175551234", chat="c-2")
    await make_profile(client, store_id, email="a@example.com", chat="c-1", city="Oslo")
    await make_profile(client, store_id, chat="c-1", phone="+13175551234", firstName="Ann")
    await make_profile(client, store_id, email="a@example.com", chat="c-3")  # evicts the first chat
    url = f"/v1/Stores/{store_id}/Profiles/{person}/Identifiers"
    await client.post(url, json={"idType": "email", "value": "b@example.com"})
    await client.patch(f"{url}/email", json={"idType": "email", "oldValue": "b@example.com", "newValue": "c@x.org"})
    await client.patch(f"/v1/Stores/{store_id}/Profiles/{person}", json={"traits": {"Contact": {"city": None}}})
    await client.delete(f"{url}/phone")
    await make_profile(client, store_id, email="another@example.com")
    await make_profile(client, store_id, email="last@example.com")
    return store_id


async def _order(database: Database, store_id: str) -> list[UUID]:
    """Return the IDs of the events in their order, with those that are not stored since the profile says them."""
    query = text("""
        select number, id from event where store_id = :store_id and kind <> 'storeSettingsChanged'
        union all
        select creation_number, id from profile where store_id = :store_id and creation_number is not null
        order by number
    """)
    async with database.statements() as connection:
        return [row.id for row in await connection.execute(query, {"store_id": ids.decoded(store_id)})]


async def _person(database: Database, store_id: str, profile_id: UUID) -> Person:
    store = await rules_of(database, store_id)
    async with database.statements() as connection:
        (profile,) = await profiles_with(connection, store, [profile_id])
        person_ids = await ids_of_people(connection, store.id, [profile_id])
        events = [event for _, event in await events_of(connection, store.id, person_ids)]
        return Person(profile, frozenset(person_ids) - {profile_id}, events)


async def test_a_restored_store_has_the_same_events_in_the_same_order(
    client: httpx.AsyncClient, original: str, database: Database
) -> None:
    lines = await exported(database, original)
    copy = await make_store(client, "copy")
    await make_profile(client, await make_store(client, "other"), email="a@example.com")  # draws a number
    await restore_lines(database, copy, lines)
    assert b"".join(await exported(database, copy)) == b"".join(lines).replace(original.encode(), copy.encode())
    order = await _order(database, original)
    assert len(order) == 12
    assert await _order(database, copy) == order


async def test_a_restored_person_splits_like_the_original_one(
    client: httpx.AsyncClient, original: str, database: Database
) -> None:
    merges = [event for event in await stored_events(database, "merged", "updated") if event.is_shown]
    copy = await make_store(client, "copy")
    await restore_lines(database, copy, await exported(database, original))
    rules = await rules_of(database, original)
    persons = [await _person(database, each, merges[0].profile_id) for each in (original, copy)]
    assert persons[0] == persons[1]
    for named in (*([each.id] for each in merges), [each.id for each in merges]):
        of_original, of_copy = (split(rules.settings, person, named, SPLIT_ID) for person in persons)
        assert len(of_original.parts) > 1
        assert of_copy == of_original


async def test_a_later_write_comes_after_all_restored_events(
    client: httpx.AsyncClient, original: str, database: Database
) -> None:
    copy = await make_store(client, "copy")
    await restore_lines(database, copy, await exported(database, original))
    profile_id = await make_profile(client, copy, email="new@example.com")
    assert (await _order(database, copy))[-1] == ids.decoded(profile_id)


async def test_restored_profiles_are_split_over_http_into_the_same_parts(
    client: httpx.AsyncClient, original: str, database: Database
) -> None:
    (person,) = {ids.profile_id(event.profile_id) for event in await stored_events(database, "merged")}
    joins = await joins_of(database, person)
    copy = await make_store(client, "copy")
    await restore_lines(database, copy, await exported(database, original))
    of_original, of_copy = [await parts_after(client, each, person, joins[:2]) for each in (original, copy)]
    assert len(of_original) == 3
    assert of_copy == of_original


async def test_the_parts_of_a_split_are_restored_and_kept_apart(
    client: httpx.AsyncClient, original: str, database: Database
) -> None:
    (person,) = {ids.profile_id(event.profile_id) for event in await stored_events(database, "merged")}
    parts = [part["id"] for part in await parts_after(client, original, person, (await joins_of(database, person))[:2])]
    lift = f"/v1/Stores/{original}/Profiles/{parts[0]}/Separations/{parts[2]}"
    assert (await client.delete(lift)).status_code == 202
    lines = await exported(database, original)
    copy = await make_store(client, "copy")
    await restore_lines(database, copy, lines)
    assert b"".join(await exported(database, copy)) == b"".join(lines).replace(original.encode(), copy.encode())
    for part, others in ((parts[0], [parts[1]]), (parts[1], [parts[0], parts[2]]), (parts[2], [parts[1]])):
        assert sorted(await separated_from(client, original, part)) == others
        assert sorted(await separated_from(client, copy, part)) == others
    assert await make_profile(client, copy, chat="c-1", email="a@example.com") != parts[1]
    assert await look_up(client, copy, "chat", "c-1") == [parts[1]]


def _in_version_1(lines: list[bytes]) -> list[Any]:
    """Return the archive as version 1 would have been of this store, but for the values before merges."""
    header, *profiles = map(json.loads, lines)
    header["version"] = 1
    del header["events"]
    for person in profiles:
        person.pop("createdBy", None)
        person.pop("creationNumber", None)
        person["merges"] = [
            {
                "id": event["id"],
                "rule": event["rule"],
                "mergedAt": event["at"],
                "before": [
                    {"id": event["profileId"], "identifiers": person["identifiers"], "traits": person["traits"]},
                    *event["absorbed"],
                ],
            }
            for event in person.pop("events")
            if event["kind"] == "merged"
        ]
    return [header, *profiles]


async def test_merges_of_an_older_archive_can_be_seen_and_not_be_undone(
    client: httpx.AsyncClient, original: str, database: Database
) -> None:
    lines = _in_version_1(await exported(database, original))
    merges = await stored_events(database, "merged")
    async with database.transaction() as connection:
        await connection.execute(text("delete from event"))
    copy = await make_store(client, "copy")
    assert await restore_lines(database, copy, [json.dumps(line).encode() for line in lines]) == 3
    restored = await stored_events(database)
    assert [(each.id, each.rule, each.profile_id, each.at, each.has_ended) for each in restored] == [
        (each.id, each.rule, each.profile_id, each.at, True) for each in merges
    ]
    assert [[person.id for person in each.absorbed] for each in restored] == [
        [person.id for person in each.absorbed] for each in merges
    ]
    assert not any(identifiers_of(each) for each in restored)


@pytest.mark.parametrize("broken", ["order", "strangers", "trait", "twice"])
async def test_an_older_archive_with_nonsense_is_refused(
    client: httpx.AsyncClient, original: str, database: Database, broken: str
) -> None:
    lines = _in_version_1(await exported(database, original))
    copy = await make_store(client, "copy")
    before = lines[1]["merges"][0]["before"]
    match broken:
        case "order":
            before.reverse()
            expected = "line 2: merges.0.before: Input should be in ascending order"
        case "strangers":
            before[0]["id"] = lines[-1]["id"]
            before.sort(key=lambda person: person["id"])
            expected = "line 2: merges: expected nobody but the profile and its aliases"
        case "trait":
            before[0]["traits"][0]["name"] = "Sesame"
            expected = "line 2: traits: expected only"
        case _:
            lines[1]["merges"][1]["id"] = lines[1]["merges"][0]["id"]
            expected = "line 2: events: expected each id once"
    with pytest.raises(RestoreRefused, match=f"^{expected}"):
        await restore_lines(database, copy, [json.dumps(line).encode() for line in lines])


@settings(max_examples=100, deadline=None)  # the machine may be busy
@given(writes(MIXED, kinds(create=7, patch=2, add=1, replace=1, remove=1, split=2), 5, 15))
def test_an_event_is_read_back_from_an_archive(drawn: list[RandomWrite]) -> None:
    store = MemoryStore(MIXED)
    for write in drawn:
        store.do(write)
    for event in (each for profile_id in store.profiles for each in store.events(profile_id)):
        for each in (event, ended(event), without_identifiers(event, sorted(identifiers_of(event))[:1])):
            assert _read_back(each) == each


def _read_back(event: Event) -> Event:
    line = ArchivedEvent.of_domain(1, event).model_dump_json(by_alias=True, exclude_none=True)
    return ArchivedEvent.model_validate_json(line).to_domain()
