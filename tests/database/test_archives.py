"""An exported and restored store equals the original. An archive with any error is refused as a whole."""

import asyncio
import json
import os
from collections.abc import Callable
from copy import deepcopy
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.archives import writer as exporting
from profile_lookup.archives.errors import RestoreRefused
from profile_lookup.archives.writer import profiles_of
from profile_lookup.database.pool import Database
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queue import enqueue
from profile_lookup.web import ids
from tests.citus.distributed import CITUS_URL
from tests.conftest import PATIENCE, change_settings, finished, look_up, make_profile, make_store
from tests.database.archived_stores import exported, restore_lines, rules_of
from tests.database.contents import TRAITS

SECRET = "Sesame"
EVENTS = """
    select
        store_id, row_number() over (partition by store_id order by number), id, kind, happened_at, profile_id, document,
        repetition_key is null
    from event
    where profile_id is not null
"""


@pytest.fixture
async def original(client: httpx.AsyncClient, store_id: str) -> str:
    """A store with every kind of data: a chain of merges, shared values, traits of every type, unusual characters."""
    crm = {"enforceUnique": False, "normalization": "none", "matchingAlgo": "fuzzy"}
    await change_settings(client, store_id, crm=crm, rules=["email", "phone", "chat", "crm"])
    definitions = {
        "plan": {"dataType": "STRING", "description": "What is paid", "idTypePromotion": "crm"},
        "seats": {"dataType": "NUMBER", "validationRule": {"ruleType": "NUMBER", "max": 99}},
        "isPaid": {"dataType": "BOOLEAN"},
        "codes": {"dataType": "ARRAY"},
    }
    groups = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    for name in ("Zeta", "Billing"):
        body = {"displayName": name, "description": "of it", "traits": definitions}
        assert (await client.post(groups, json=body)).status_code == 202
    billing = {"plan": 'p\n\u2028;"ü\U0001f600', "seats": -7, "isPaid": False, "codes": ["a", 1, True, "ß"]}
    people = [
        {"Contact": {"phone": "+13175556789", "firstName": SECRET}, "Billing": billing},
        {"Contact": {"email": "a@example.com"}},
        {"Contact": {"chat": "Chat-1"}, "Zeta": {"seats": 3}},
        {"Contact": {"email": "A@Example.com", "chat": "Chat-1", "city": "Berlin"}},  # merges two of them
        {"Contact": {"email": "a@example.com", "phone": "317 555 6789"}},  # merges these with the first
        {"Contact": {"chat": "Chat-2", "city": ""}, "Billing": {"codes": []}},
    ]
    for traits in people:
        created = await client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": traits})
        assert created.status_code == 202, created.text
    url = f"/v1/Stores/{store_id}/Profiles/{created.json()['id']}/Identifiers"
    shared = {"idType": "crm", "value": billing["plan"]}
    assert (await client.post(url, json=shared)).status_code == 202
    return store_id


async def _rows(database: Database, store_id: str) -> dict[str, list[Any]]:
    """Return the rows of a store's profiles, without the columns that differ between stores."""
    async with database.statements() as connection:
        return {
            table: list(
                (
                    await connection.execute(
                        text(
                            "select (to_jsonb(known) - 'store_id' - 'fuzzy_key')::text"
                            f" || coalesce((to_jsonb(known) -> 'fuzzy_key' <> 'null')::text, '') as row"
                            f" from {table} as known where store_id = :store_id order by row"
                        ),
                        {"store_id": ids.decoded(store_id)},
                    )
                ).scalars()
            )
            for table in (
                "(select store_id, id, created_at, created_by, creation_number is null, is_separated from profile)",
                "alias",
                "identifier",
                f"({TRAITS})",
                f"({EVENTS})",
                "separation",
            )
        }


async def test_a_restored_store_equals_the_exported_one(
    client: httpx.AsyncClient, original: str, database: Database
) -> None:
    lines = await exported(database, original)
    copy = await make_store(client, "copy")
    assert (await client.post(f"/v1/ControlPlane/Stores/{copy}/TraitGroups", json={"displayName": "Old"})).is_success
    assert await restore_lines(database, copy, lines) == len(lines) - 1
    assert b"".join(await exported(database, copy)) == b"".join(lines).replace(original.encode(), copy.encode())
    rows = await _rows(database, original)
    assert [len(of_table) for of_table in rows.values()] == [2, 2, 6, 13, 7, 0]
    assert await _rows(database, copy) == rows


async def test_a_profile_with_very_many_identifiers_is_a_suspect_in_the_restored_store_too(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    for number in range(20):
        await make_profile(client, store_id, email="a@example.com", chat=f"chat-{number}")
    copy = await make_store(client, "copy")
    await restore_lines(database, copy, await exported(database, store_id))
    suspects = [(await client.get(f"/v1/Stores/{each}/Suspects")).json()["suspects"] for each in (store_id, copy)]
    assert suspects[0] == suspects[1] != []


async def test_a_restored_store_answers_like_the_exported_one(
    client: httpx.AsyncClient, original: str, database: Database
) -> None:
    copy = await make_store(client, "copy")
    await client.get(f"/v1/Stores/{copy}/Profiles")  # the service now caches its rules
    lines = await exported(database, original)
    await restore_lines(database, copy, lines)
    first, second = (json.loads(line) for line in lines[1:])
    for person in (first, second):
        for identifier in person["identifiers"]:
            assert person["id"] in await look_up(client, copy, identifier["idType"], identifier["value"])
    assert await look_up(client, copy, "crm", second["identifiers"][1]["value"][:-1]) == [first["id"], second["id"]]
    profiles = f"/v1/Stores/{copy}/Profiles"
    for alias in first["aliases"]:
        moved = await client.get(f"{profiles}/{alias}", follow_redirects=False)
        assert (moved.status_code, moved.headers["Canonical-Profile-Id"]) == (301, first["id"])
        assert (await client.delete(f"{profiles}/{alias}", follow_redirects=False)).status_code == 308
    merged = await client.post(profiles, json={"traits": {"Contact": {"phone": "+13175556789", "chat": "Chat-2"}}})
    assert merged.json()["id"] == first["id"]


async def test_a_store_without_profiles_can_be_exported_and_restored(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    copy = await make_store(client, "copy")
    (header,) = await exported(database, store_id)
    assert await restore_lines(database, copy, [header]) == 0
    assert await exported(database, copy) == [header.replace(store_id.encode(), copy.encode())]


async def test_blocked_values_are_restored(client: httpx.AsyncClient, original: str, database: Database) -> None:
    document = {
        "builtIn": False,
        "values": [{"idType": "email", "value": "office@acme.example"}],
        "patterns": [{"idType": "crm", "pattern": "^x"}],
        "allowed": [{"idType": "email", "value": "unknown@acme.example"}],
        "maxProfilesPerValue": 50,
    }
    await finished(client, await client.put(f"/v1/ControlPlane/Stores/{original}/BlockedValues", json=document))
    copy = await make_store(client, "copy")
    await client.get(f"/v1/ControlPlane/Stores/{copy}/BlockedValues")  # the service now caches its rules
    await restore_lines(database, copy, await exported(database, original))
    assert (await client.get(f"/v1/ControlPlane/Stores/{copy}/BlockedValues")).json() == document


async def test_identifiers_that_are_blocked_are_removed_from_the_restored_store(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    person = await make_profile(client, store_id, email="office@acme.example", phone="+13175556789")
    header, *profiles = await exported(database, store_id)
    document = json.loads(header)
    document["blockedValues"]["values"] = [{"idType": "email", "value": "office@acme.example"}]
    copy = await make_store(client, "copy")
    await restore_lines(database, copy, [json.dumps(document).encode(), *profiles])
    path = f"/v1/Stores/{copy}/Profiles/{person}/Identifiers"
    async with asyncio.timeout(PATIENCE):
        while len((await client.get(path)).json()["identifiers"]) > 1:
            await asyncio.sleep(0.05)
    assert (await client.get(path)).json()["identifiers"] == [{"idType": "phone", "values": ["+13175556789"]}]


async def test_an_archive_without_blocked_values_leaves_the_stores_own(
    client: httpx.AsyncClient, original: str, database: Database
) -> None:
    lines = await exported(database, original)
    header = json.loads(lines[0])
    del header["blockedValues"]
    copy = await make_store(client, "copy")
    await restore_lines(database, copy, [json.dumps(header).encode(), *lines[1:]])
    assert (await client.get(f"/v1/ControlPlane/Stores/{copy}/BlockedValues")).json()["builtIn"] is True


async def test_blocked_values_that_do_not_fit_the_settings_are_refused(
    client: httpx.AsyncClient, original: str, database: Database
) -> None:
    lines = await exported(database, original)
    header = json.loads(lines[0])
    header["blockedValues"]["values"] = [{"idType": "fax", "value": SECRET}]
    copy = await make_store(client, "copy")
    with pytest.raises(RestoreRefused, match=r"^line 1: values\.0\.idType: not configured"):
        await restore_lines(database, copy, [json.dumps(header).encode(), *lines[1:]])


async def test_profiles_are_read_in_chunks(original: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PROFILES_PER_BATCH", 1)
    store = await rules_of(database, original)
    async with database.snapshot() as connection:
        assert [len(profiles) async for profiles in profiles_of(connection, store)] == [1, 1]


async def test_traits_that_a_worker_will_soon_erase_are_not_exported(
    client: httpx.AsyncClient, original: str, database: Database
) -> None:
    definition = "update trait_group set traits = traits - 'firstName' where name = 'Contact'"
    async with database.transaction() as connection:
        await connection.execute(text(definition))
        await connection.execute(text("update store set revision = revision + 1"))
    assert not any(SECRET.encode() in line for line in await exported(database, original))


async def test_restoring_into_a_store_with_profiles_or_pending_changes_is_refused(
    client: httpx.AsyncClient, original: str, database: Database
) -> None:
    lines = await exported(database, original)
    with pytest.raises(RestoreRefused, match="expected a store without any profile"):
        await restore_lines(database, original, lines)
    copy = await make_store(client, "copy")
    store = await rules_of(database, copy)
    async with database.transaction() as connection:
        job_input = {"group": "Billing", "traits": None}
        await enqueue(connection, store.account_id, store.id, kind=OperationKind.FORGET_TRAITS, job_input=job_input)
    with pytest.raises(RestoreRefused, match="still being changed"):
        await restore_lines(database, copy, lines)


def _in_header(change: Callable[[Any], object]) -> Callable[[list[Any]], object]:
    return lambda lines: change(lines[0])


def _in_first(change: Callable[[Any], object]) -> Callable[[list[Any]], object]:
    return lambda lines: change(lines[1])


def _in_second(change: Callable[[Any], object]) -> Callable[[list[Any]], object]:
    return lambda lines: change(lines[2])


BROKEN: list[tuple[str, Callable[[list[Any]], object]]] = [
    ("line 1: JSON: Invalid JSON", lambda lines: lines.clear()),
    ("line 1: version: ", _in_header(lambda header: header.update(version=3))),
    ("line 1: format: ", _in_header(lambda header: header.update(format=SECRET))),
    ("line 1: matchingRules: expected", _in_header(lambda header: header["settings"].update(matchingRules=["none"]))),
    ("line 1: traitGroups: expected each", _in_header(lambda header: header["traitGroups"].append(header["traitGroups"][0]))),
    ("line 1: traitGroups: expected Contact", _in_header(lambda header: header["traitGroups"].pop(0))),
    ("expected 3 profiles, as the first line says, and not 2", _in_header(lambda header: header.update(profiles=3))),
    ("expected 1 profiles, as the first line says, and not 2", _in_header(lambda header: header.update(profiles=1))),
    ("line 2: identifiers.1.addedAt: ", _in_first(lambda person: person["identifiers"][1].update(addedAt=SECRET))),
    ("line 2: createdAt: ", _in_first(lambda person: person.update(createdAt="2026-01-01T00:00:00+02:00"))),
    ("line 2: createdAt: ", _in_first(lambda person: person.update(createdAt="2026-01-01T00:00:00"))),
    ("line 2: createdAt: Input should be between", _in_first(lambda person: person.update(createdAt="0001-01-01T00:00:00Z"))),
    ("line 2: identifiers.0.addedAt: Input should be between", _in_first(lambda person: person["identifiers"][0].update(addedAt="9999-12-31T23:59:59.999999Z"))),
    ("line 2: id: ", _in_first(lambda person: person.update(id=person["id"][:-1] + "u"))),
    ("line 2: (a name): ", _in_first(lambda person: person.update({f"{SECRET} 7": 1}))),
    ("line 2: identifiers.0.value: expected digits", _in_first(lambda person: person["identifiers"][0].update(value=SECRET))),
    ("line 2: identifiers.0.value: expected it as", _in_first(lambda person: person["identifiers"][0].update(value="317 555 6789"))),
    ("line 2: identifiers.0.idType: not configured", _in_first(lambda person: person["identifiers"][0].update(idType="fax"))),
    ("line 2: identifiers, traits: expected each once", _in_first(lambda person: person["identifiers"].append(person["identifiers"][0]))),
    ("line 2: identifiers, traits: expected each once", _in_first(lambda person: person["traits"].append(person["traits"][0]))),
    ("line 2: traits: expected only", _in_first(lambda person: person["traits"][0].update(name=SECRET))),
    ("line 2: traits.Billing.codes: ", _in_first(lambda person: person["traits"][0].update(value=[[SECRET]]))),
    ("line 2: traits.Billing.codes: ", _in_first(lambda person: person["traits"][0].update(value=f"{SECRET}\0"))),
    ("line 2: aliases: Input should be in ascending", _in_first(lambda person: person["aliases"].reverse())),
    ("line 2: aliases: expected IDs that are later", _in_first(lambda person: person.update(aliases=[person["id"]], events=[]))),
    ("expected 9 events, as the first line says, and not 7", _in_header(lambda header: header.update(events=9))),
    ("line 2: events: expected nobody but", _in_first(lambda person: person["aliases"].pop())),
    ("line 2: events: expected nobody but", _in_first(lambda person: person["events"][-1].update(profileId=LAST))),
    ("line 2: events: expected each id once", _in_first(lambda person: person["events"][1].update(id=person["events"][0]["id"]))),
    ("line 2: events: expected no number above", _in_first(lambda person: person["events"][-1].update(number=1000))),
    ("line 2: events: Input should be in the order", _in_first(lambda person: person["events"].reverse())),
    ("line 2: events.0.kind: ", _in_first(lambda person: person["events"][0].update(kind="erased"))),
    ("line 2: events.0.request.carried.0.place: ", _in_first(lambda person: person["events"][0]["request"]["carried"][0].update(place=1 << 20))),
    ("line 2: events.0.(a name): ", _in_first(lambda person: person["events"][0].update({f"{SECRET} 7": 1}))),
    ("line 2: events.0.request.traits.0.name: ", _in_first(lambda person: person["events"][0]["request"]["traits"][0].update(name=""))),
    ("line 2: traits: expected only", _in_first(lambda person: person["events"][0]["request"]["traits"][0].update(name=SECRET))),
    ("line 2: traits.Contact.chat: ", _in_first(lambda person: _chat_before_a_merge(person).update(value=[[SECRET]], writtenAt=person["createdAt"]))),
    ("line 2: events.3.before.traits: Input should have each", _in_first(lambda person: _merges(person)[0]["before"]["traits"].append(_chat_before_a_merge(person)))),
    ("line 2: events.3.before.traits.", _in_first(lambda person: _chat_before_a_merge(person).update(value=SECRET))),
    ("line 2: traits: expected only", _in_first(lambda person: _merges(person)[0]["absorbed"][0]["traits"][0].update(group=SECRET))),
    ("line 2: creationNumber: expected only", _in_first(lambda person: person.update(creationNumber=1, createdAt="2020-01-01T00:00:00Z"))),
    ("line 2: createdBy.id: ", _in_first(lambda person: person.update(createdBy={"type": "key", "id": f"{SECRET} 7"}))),
    ("line 2: separations: expected nobody but", _in_first(lambda person: person.update(separations=[_separation(LAST)]))),
    ("line 2: separations: expected each decision", _in_first(lambda person: person.update(separations=[_separation(person["id"])] * 2))),
    ("line 3: id: expected profiles in ascending", lambda lines: lines.append(lines.pop(1))),
    ("line 3: id: it is an alias", lambda lines: lines[2].update(id=lines[1]["aliases"][1], events=[])),
    ("line 3: aliases: an ID is another", lambda lines: (lines[1].update(aliases=[LAST], events=[]), lines[2].update(aliases=[LAST]))),
    ("line 3: events: a number is that of another", lambda lines: lines[2]["events"][0].update(number=lines[1]["events"][0]["number"])),
    ("line 3: identifiers: a value of a unique type", lambda lines: lines[2]["identifiers"][0].update(value="Chat-1")),
]  # fmt: skip
LAST = "mem_profile_7zzzzzzzzzzzzzzzzzzzzzzzzz"


def _merges(person: Any) -> list[Any]:
    return [event for event in person["events"] if event["kind"] == "merged"]


def _chat_before_a_merge(person: Any) -> Any:
    (chat,) = (trait for trait in _merges(person)[0]["before"]["traits"] if trait["name"] == "chat")
    return chat


def _separation(profile_id: str) -> dict[str, Any]:
    return {"id": profile_id, "decision": str(UUID(int=1)), "part": 0, "decidedAt": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00.000001Z", "9999-12-31T23:59:59.999998Z"])
async def test_the_first_and_the_last_time_that_an_archive_may_have_are_restored_and_exported(
    client: httpx.AsyncClient, store_id: str, database: Database, time: str
) -> None:
    await make_profile(client, store_id, email="ann@example.com")
    header, line = await exported(database, store_id)
    person = json.loads(line)
    person["createdAt"] = person["identifiers"][0]["addedAt"] = person["traits"][0]["writtenAt"] = time
    copy = await make_store(client, "copy")
    await restore_lines(database, copy, [header, json.dumps(person).encode()])
    restored = json.loads((await exported(database, copy))[1])
    assert restored["createdAt"] == restored["identifiers"][0]["addedAt"] == time
    assert restored["traits"][0]["writtenAt"] == time
    profile = f"/v1/Stores/{copy}/Profiles/{person['id']}"
    for path in (profile, f"{profile}/Identifiers", f"{profile}/Traits", f"{profile}/Events"):
        assert (await client.get(path)).status_code == 200, path


async def test_an_error_in_an_archive_is_reported_by_line_without_values_and_nothing_is_restored(
    client: httpx.AsyncClient, original: str, database: Database
) -> None:
    archive = [json.loads(line) for line in await exported(database, original)]
    copy = await make_store(client, "copy")
    before = await exported(database, copy)
    for expected, break_it in BROKEN:
        lines = deepcopy(archive)
        break_it(lines)
        with pytest.raises(RestoreRefused) as refused:
            await restore_lines(database, copy, [json.dumps(line).encode() for line in lines])
        # If a row of a COPY is not unique, nodes of Citus do not say which.
        without_line = expected.partition(": ")[2] if CITUS_URL in os.environ else expected
        assert str(refused.value).startswith((expected, without_line)), expected
        assert SECRET not in str(refused.value)
        assert await exported(database, copy) == before
    unreadable = [json.dumps(line).encode() for line in archive]
    unreadable[2] = unreadable[2][:50]
    with pytest.raises(RestoreRefused, match="line 3: JSON: Invalid JSON"):
        await restore_lines(database, copy, unreadable)
    assert await restore_lines(database, copy, [json.dumps(line).encode() for line in archive]) == 2
