"""Values that an earlier version normalized are found, changed and rewritten; none is lost."""

import asyncio
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from profile_lookup.archives.reader import restore
from profile_lookup.archives.wire.lines import line_of
from profile_lookup.archives.writer import header_of, profiles_of
from profile_lookup.database.pool import Database
from profile_lookup.identity.former_values import former_values
from profile_lookup.identity.values.normalization_version import CURRENT
from profile_lookup.identity.values.renumbering import RENUMBERINGS
from profile_lookup.jobs.job_handlers import HANDLERS
from profile_lookup.jobs.normalization_drift import queue_renormalizations
from profile_lookup.operations.job_worker import run_until_idle
from profile_lookup.settings import Settings
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_cache import RULES
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.web import ids
from tests.api.batch_lookups import look_up_batch, looked_up_one_by_one
from tests.conftest import PATIENCE, WAITING, change_settings, look_up, make_store
from tests.database.contents import contents
from tests.database.former_values import insert_former, make_unversioned, renormalize, result_of_renormalization

NFD_ADDRESS = "ann@bu\u0308cher.example"
FORMER: dict[tuple[str, str], list[str]] = {
    ("phone", "+553196883193"): ["+553196883193", "+5531996883193", "+55 31 99688-3193"],
    ("phone", "+22997123456"): ["+22997123456", "+2290197123456"],
    ("email", NFD_ADDRESS): [NFD_ADDRESS, "Ann@bu\u0308cher.example"],
    ("email", "bea@xn--bcher-kva.example"): ["bea@xn--bcher-kva.example"],
    ("email", "cid\u200b@example.com"): ["cid\u200b@example.com"],
    ("chat", "\u200bdan"): ["\u200bdan"],
}
"""What commit ab3eaa2 stored, and by which strings it is found before it is rewritten."""

TODAY: dict[tuple[str, str], list[str]] = {
    **FORMER,
    ("email", NFD_ADDRESS): [NFD_ADDRESS, "ann@b\u00fccher.example", "ann@xn--bcher-kva.example"],
    ("email", "bea@xn--bcher-kva.example"): ["bea@xn--bcher-kva.example", "bea@b\u00fccher.example"],
    ("email", "cid\u200b@example.com"): ["cid\u200b@example.com", "cid@example.com"],
    ("chat", "\u200bdan"): ["\u200bdan", "dan"],
}
"""And by which afterwards."""

KEPT = ("email", "no address")
"""A value that today's rules refuse."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The application runs no worker; the tests do the work."""
    return settings.model_copy(update={"run_operations": False})


@pytest.fixture
async def former(store_id: str, database: Database) -> Mapping[tuple[str, str], str]:
    """A store as commit ab3eaa2 left it: of each value the wire ID of its profile."""
    profiles: dict[tuple[str, str], str] = {}
    async with database.transaction() as connection:
        for id_type, value in (*FORMER, KEPT):
            profiles[id_type, value] = await insert_former(connection, store_id, id_type, value)
        await make_unversioned(connection)
    return profiles


async def _state(database: Database) -> tuple[object, int]:
    async with database.statements() as connection:
        row = (await connection.execute(text("select normalization, kept_values from store"))).one()
    return json.loads(row[0]) if isinstance(row[0], str) else row[0], row[1]


async def test_former_values_are_found_before_and_after_they_are_rewritten(
    client: httpx.AsyncClient, store_id: str, former: Mapping[tuple[str, str], str], database: Database
) -> None:
    for (id_type, value), spellings in FORMER.items():
        for spelling in spellings:
            assert await look_up(client, store_id, id_type, spelling) == [former[id_type, value]], spelling
    assert await look_up(client, store_id, *KEPT) == [former[KEPT]]
    await renormalize(database)
    assert await _state(database) == (CURRENT.to_document(), 1)
    for (id_type, value), spellings in TODAY.items():
        for spelling in spellings:
            assert await look_up(client, store_id, id_type, spelling) == [former[id_type, value]], spelling
    assert await look_up(client, store_id, *KEPT) == [former[KEPT]]  # it is kept, and found as it is stored


async def test_a_refused_value_that_is_not_stored_is_refused(
    client: httpx.AsyncClient, store_id: str, former: Mapping[tuple[str, str], str]
) -> None:
    answer = await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json={"idType": "email", "value": "nobody"})
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_a_batch_finds_former_values_as_single_lookups_do(
    client: httpx.AsyncClient, store_id: str, former: Mapping[tuple[str, str], str], database: Database
) -> None:
    async with database.transaction() as connection:
        await insert_former(connection, store_id, "phone", "+5531996883193")
    pairs = [(id_type, each) for (id_type, _), spellings in TODAY.items() for each in spellings]
    pairs += [KEPT, ("email", "nobody"), ("email", "nobody@example.com"), ("fax", "1"), ("chat", "n/a")]
    found = await looked_up_one_by_one(client, store_id, pairs)
    assert await look_up_batch(client, store_id, pairs) == found
    assert found[0]["profiles"][0] == former["phone", "+553196883193"]
    assert {len(each.get("profiles", "-")) for each in found} == {0, 1, 2}


@pytest.mark.parametrize("spelling", ["+553196883193", "+5531996883193"])
async def test_a_write_meanwhile_updates_who_holds_the_former_value(
    client: httpx.AsyncClient,
    store_id: str,
    former: Mapping[tuple[str, str], str],
    database: Database,
    spelling: str,
) -> None:
    holder = former["phone", "+553196883193"]
    sent = {"traits": {"Contact": {"phone": spelling, "city": "Contagem"}}}
    answer = await client.post(f"/v1/Stores/{store_id}/Profiles", json=sent)
    assert answer.json()["id"] == holder
    held = await client.get(f"/v1/Stores/{store_id}/Profiles/{holder}/Identifiers/phone")
    assert held.json()["values"] == ["+5531996883193"]
    await renormalize(database)
    assert await look_up(client, store_id, "phone", "+553196883193") == [holder]


async def test_profiles_with_two_forms_of_one_value_become_one_person(
    client: httpx.AsyncClient, store_id: str, former: Mapping[tuple[str, str], str], database: Database
) -> None:
    """As when an earlier release and this one write side by side."""
    async with database.transaction() as connection:
        later = await insert_former(connection, store_id, "phone", "+5531996883193")
    earlier = former["phone", "+553196883193"]
    assert await look_up(client, store_id, "phone", "+553196883193") == [earlier, later]
    await renormalize(database)
    assert await look_up(client, store_id, "phone", "+553196883193") == [earlier]
    moved = await client.get(f"/v1/Stores/{store_id}/Profiles/{later}", follow_redirects=False)
    assert moved.headers["Canonical-Profile-Id"] == earlier
    assert await result_of_renormalization(client, database) == {"changed": len(FORMER), "merged": 1, "kept": 1}


async def test_a_stored_value_is_replaced_by_the_string_that_it_is_stored_as(
    client: httpx.AsyncClient, store_id: str, former: Mapping[tuple[str, str], str], database: Database
) -> None:
    path = f"/v1/Stores/{store_id}/Profiles"
    for (id_type, old), new in (
        (KEPT, "new@example.com"),
        (("phone", "+22997123456"), "+2290197123457"),
        (("email", NFD_ADDRESS), "ann@b\u00fccher.example"),  # today's form of it
    ):
        body = {"idType": id_type, "oldValue": old, "newValue": new}
        answer = await client.patch(f"{path}/{former[id_type, old]}/Identifiers/{id_type}", json=body)
        assert answer.status_code == 202, answer.text
        assert await look_up(client, store_id, id_type, new) == [former[id_type, old]]
    chats = f"{path}/{former['chat', chr(0x200B) + 'dan']}/Identifiers/chat"
    removed = await client.delete(chats, params={"value": "\u200bdan"})
    assert removed.status_code == 202
    assert await look_up(client, store_id, "chat", "\u200bdan") == []


async def test_a_value_that_may_neither_be_shared_nor_merge_is_kept(
    client: httpx.AsyncClient, store_id: str, former: Mapping[tuple[str, str], str], database: Database
) -> None:
    async with database.transaction() as connection:
        other = await insert_former(connection, store_id, "chat", "dan")
        await connection.execute(
            text("""
                update store set revision = revision + 1,
                    settings = jsonb_set(settings, '{matching_rules}', '["email", "phone"]')
            """)
        )
    await renormalize(database)
    assert (await _state(database))[1] == 2  # this one and KEPT
    assert await result_of_renormalization(client, database) == {"changed": len(FORMER) - 1, "merged": 0, "kept": 2}
    holder = former["chat", "\u200bdan"]
    assert await look_up(client, store_id, "chat", "\u200bdan") == sorted([holder, other])


async def test_an_interrupted_operation_goes_on_and_counts_once(
    client: httpx.AsyncClient,
    store_id: str,
    former: Mapping[tuple[str, str], str],
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("profile_lookup.jobs.normalization_drift.VALUES_PER_STEP", 2)
    await queue_renormalizations(database)
    await queue_renormalizations(database)  # a second process starts: it is queued once
    with caplog.at_level(logging.INFO):
        first = asyncio.create_task(run_until_idle(database, HANDLERS))
        await asyncio.sleep(0.02)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        operations = "".join((await contents(database))["operation"])
        assert not any(value in operations for _, value in (*FORMER, KEPT))  # they are personal data
        async with asyncio.timeout(PATIENCE):
            while await _state(database) != (CURRENT.to_document(), 1):  # the lease that was lost may have to expire
                await run_until_idle(database, HANDLERS)
                await asyncio.sleep(0.1)
    assert await result_of_renormalization(client, database) == {"changed": len(FORMER), "merged": 0, "kept": 1}
    (record,) = [record for record in caplog.records if record.message == "values were normalized anew"]
    counted = vars(record)
    assert (counted["changed"], counted["merged"], counted["kept"]) == (len(FORMER), 0, 1)


async def test_an_older_process_neither_queues_nor_rewrites_and_says_so(
    client: httpx.AsyncClient, store_id: str, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    newer = CURRENT.to_document() | {"rules": CURRENT.rules + 1}
    async with database.transaction() as connection:
        await connection.execute(
            text("update store set normalization = cast(:version as jsonb)"), {"version": json.dumps(newer)}
        )
    await queue_renormalizations(database)
    async with database.statements() as connection:
        queued = await connection.scalar(text("select count(*) from operation where kind = 'RENORMALIZE_VALUES'"))
    assert queued == 0
    assert "a newer version normalized this store" in caplog.messages
    assert (await _state(database))[0] == CURRENT.to_document()  # the newer one queues at its next start


async def test_a_new_store_needs_no_operation(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    await queue_renormalizations(database)
    assert await _state(database) == (CURRENT.to_document(), 0)
    stored = RULES.get(ids.decoded(store_id))
    assert stored is None or not stored.may_hold_former_values


def test_the_former_numbers_of_the_renumbering_table_are_found_by_the_new_ones() -> None:
    for renumbering in RENUMBERINGS:
        for old, new in renumbering.examples.items():
            assert old in former_values("phone", new)
            assert former_values("phone", old)[0] == old


def test_what_is_normalized_today_has_no_former_form_of_another_value() -> None:
    assert former_values("phone", "+13175556789") == []
    assert former_values("email", "ann@example.com") == []
    assert former_values("none", " as it is ") == []


async def test_settings_still_change_in_a_store_with_kept_values(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, former: Mapping[tuple[str, str], str], database: Database
) -> None:
    await renormalize(database)
    worker = asyncio.create_task(_work(database))
    try:
        changed = await change_settings(client, store_id, chat={"limit": 5})
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    assert changed["status"] == "COMPLETED"


async def _work(database: Database) -> None:
    while True:
        await run_until_idle(database, HANDLERS)
        await asyncio.sleep(0.05)


async def test_an_archive_of_an_earlier_version_is_restored_and_its_people_are_found(
    client: httpx.AsyncClient, store_id: str, database: Database, account: tuple[str, str]
) -> None:
    """It was exported by release 0.1 with phonenumbers 8.13.30, to which Benin's numbers had eight digits."""
    lines = (Path(__file__).parent / "benin-before-2024.jsonl").read_bytes().splitlines(keepends=True)
    async with database.transaction() as connection:
        (account_id,) = (await connection.execute(text("select account_id from store"))).scalars()
        store = await lock_rules(connection, account_id, ids.decoded(store_id) or UUID(int=0))
        assert await restore(connection, store, lines, lambda _done, _total: None) == 5
    spellings = ("+22997123456", "+2290197123456")
    before = [await look_up(client, store_id, "phone", spelling) for spelling in spellings]
    assert before[0] == before[1] != []
    await run_until_idle(database, HANDLERS)
    assert await _state(database) == (CURRENT.to_document(), 0)
    assert [await look_up(client, store_id, "phone", spelling) for spelling in spellings] == before
    async with database.snapshot() as connection:
        again = await rules_in_force(connection, account_id, store.id)
        exported = [line_of(await header_of(connection, again))]
        async for profiles in profiles_of(connection, again):
            exported += map(line_of, profiles)
    assert len(exported) == len(lines)
    assert b"+2290197123456" in b"".join(exported)


async def test_a_store_that_is_behind_is_exported_and_restored_as_it_is(
    client: httpx.AsyncClient, store_id: str, former: Mapping[tuple[str, str], str], database: Database
) -> None:
    async with database.snapshot() as connection:
        (account_id,) = (await connection.execute(text("select account_id from store"))).scalars()
        store = await rules_in_force(connection, account_id, ids.decoded(store_id) or UUID(int=0))
        exported = [line_of(await header_of(connection, store))]
        async for profiles in profiles_of(connection, store):
            exported += map(line_of, profiles)
    other = await make_store(client, "other")
    async with database.transaction() as connection:
        await connection.execute(text("delete from identifier"))
        await connection.execute(text("delete from profile"))
    async with database.transaction() as connection:
        target = await lock_rules(connection, account_id, ids.decoded(other) or UUID(int=0))
        await restore(connection, target, exported, lambda _done, _total: None)
    await run_until_idle(database, HANDLERS)
    for (id_type, value), spellings in TODAY.items():
        for spelling in spellings:
            assert await look_up(client, other, id_type, spelling) == [former[id_type, value]], spelling
    assert await look_up(client, other, *KEPT) == [former[KEPT]]


async def test_a_shared_value_that_a_merge_moves_behind_the_operation_is_rewritten(
    client: httpx.AsyncClient, store_id: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profile_lookup.jobs.normalization_drift.VALUES_PER_STEP", 2)
    async with database.transaction() as connection:
        earliest = await insert_former(connection, store_id, "email", "ann@example.com")
        holders = [await insert_former(connection, store_id, "device", "\u200bd1", is_unique=False) for _ in range(3)]
        await make_unversioned(connection)
        device = {"id_type": "device", "enforce_unique": False}
        await connection.execute(
            text("""
                update store set settings = jsonb_insert(
                    settings, '{identifier_configs, 0}', cast(:config as jsonb)
                )
            """),
            {"config": json.dumps(device)},
        )
    await queue_renormalizations(database)
    async with database.transaction() as held:
        parameters = {"store_id": ids.decoded(store_id), "second": ids.decoded(holders[1])}
        locked = text("select from profile where store_id = :store_id and id = :second for update")
        await held.execute(locked, parameters)
        normalizing = asyncio.create_task(run_until_idle(database, HANDLERS))
        await _until_somebody_waits_for_a_lock(database)
        async with database.transaction() as merging:
            parameters |= {"earliest": ids.decoded(earliest), "last": ids.decoded(holders[2])}
            await merging.execute(
                text("""
                    update identifier set profile_id = :earliest, shared_by = uuid_send(cast(:earliest as uuid))
                    where store_id = :store_id and profile_id = :last
                """),
                parameters,
            )
    await normalizing
    async with database.statements() as connection:
        devices = await connection.execute(text("select distinct value from identifier where id_type = 'device'"))
        assert list(devices.scalars()) == ["d1"]
    assert await look_up(client, store_id, "device", "d1") == [earliest, *holders[:2]]


async def _until_somebody_waits_for_a_lock(database: Database) -> None:
    async with database.statements() as connection:
        while not await connection.scalar(text(WAITING)):
            await asyncio.sleep(0.01)


async def test_what_a_limit_drops_when_values_become_one_is_logged(
    client: httpx.AsyncClient, store_id: str, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await change_settings(client, store_id, email={"limit": 1})
    async with database.transaction() as connection:
        for phone, email in (("+22997123456", "a@example.com"), ("+2290197123456", "b@example.com")):
            holder = await insert_former(connection, store_id, "phone", phone)
            await insert_former(connection, store_id, "email", email, holder=holder)
        await make_unversioned(connection)
    with caplog.at_level(logging.INFO):
        await renormalize(database)
    (record,) = [record for record in caplog.records if record.message == "limits evicted identifiers"]
    assert vars(record)["evicted"] == {"email": 1}
