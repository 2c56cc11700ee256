"""DELETE /v1/ControlPlane/Stores/{storeId} hides the store at once, and an operation then deletes its data."""

import asyncio
import time
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.web import ids
from tests.conftest import change_settings, finished, look_up, make_profile, make_store
from tests.database.contents import contents

STORES = "/v1/ControlPlane/Stores"
MANY = 8000
_FILL = text("""
    with made as (
        insert into profile (store_id, id, created_at, traits)
        select :store_id, gen_random_uuid(), now(), '{"Contact": {"city": ["Gary"]}}'
        from generate_series(1, :count)
        returning store_id, id
    )
    insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
    select store_id, 'chat', 'chat-' || row_number() over (), id, '', now() from made
""")


async def _fill(database: Database, store_id: str, count: int) -> None:
    async with database.transaction() as connection:
        await connection.execute(_FILL, {"store_id": ids.decoded(store_id), "count": count})


async def _fill_every_table(client: httpx.AsyncClient, store_id: str) -> None:
    """Write something into every table."""
    await make_profile(client, store_id, chat="c-1", city="Gary")
    await make_profile(client, store_id, phone="+13175551234")
    await make_profile(client, store_id, email="a@example.com")
    await make_profile(client, store_id, phone="+13175551234", email="a@example.com")
    await make_profile(client, store_id, chat="c-1", email="a@example.com")
    groups = f"{STORES}/{store_id}/TraitGroups"
    assert (await client.post(groups, json={"displayName": "Billing"})).status_code == 202


async def _fill_history(database: Database, store_id: str) -> None:
    """Write rows of history that belong to no profile of the store."""
    async with database.transaction() as connection:
        for statement in _HISTORY:
            await connection.execute(statement, {"store_id": ids.decoded(store_id)})


_HISTORY = (
    text("""
        insert into event (store_id, id, kind, happened_at, document)
        values (:store_id, gen_random_uuid(), 'storeSettingsChanged', now(), '{"i": []}')
    """),
    text("""
        insert into separation (store_id, id, decision, part, is_lifted, decided_at)
        values (:store_id, gen_random_uuid(), gen_random_uuid(), 0, false, now())
    """),
    text("insert into history_end values (:store_id, 1)"),
    text("insert into event_feed values (:store_id, 1, '{2}', 1, 3)"),
    text("insert into event_batch values (:store_id, 1, 3, '{}', 1)"),
)


async def _tables_with(database: Database, store_id: str) -> set[str]:
    uuid = str(UUID(str(ids.decoded(store_id))))
    return {name for name, rows in (await contents(database)).items() if any(uuid in row for row in rows)}


async def test_a_deleted_store_is_gone_at_once(client: httpx.AsyncClient, store_id: str) -> None:
    profile_id = await make_profile(client, store_id, chat="c-1")
    await look_up(client, store_id, "chat", "c-1")  # now this process has cached it
    deleted = await client.delete(f"{STORES}/{store_id}")
    assert deleted.status_code == 202
    assert deleted.json()["message"] == "Memory Store deletion request accepted for processing."
    data = f"/v1/Stores/{store_id}/Profiles"
    for answer in (
        await client.get(f"{STORES}/{store_id}"),
        await client.delete(f"{STORES}/{store_id}"),
        await client.get(f"{STORES}/{store_id}/IdentityResolutionSettings"),
        await client.post(f"{data}/Lookup", json={"idType": "chat", "value": "c-1"}),
        await client.post(data, json={"traits": {"Contact": {"chat": "c-1"}}}),
        await client.get(data),
        await client.get(f"{data}/{profile_id}"),
        await client.delete(f"{data}/{profile_id}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, 520041)
    assert (await client.get(STORES)).json()["stores"] == []


async def test_the_name_of_a_deleted_store_is_free_at_once(client: httpx.AsyncClient, store_id: str) -> None:
    await client.delete(f"{STORES}/{store_id}")
    assert await make_store(client, "customers") != store_id


async def test_a_deleted_store_does_not_count_towards_the_limit(client: httpx.AsyncClient) -> None:
    stores = [await make_store(client, f"store-{number}") for number in range(15)]
    assert (await client.post(STORES, json={"displayName": "one-more"})).json()["code"] == 520044
    await client.delete(f"{STORES}/{stores[3]}")
    assert (await client.post(STORES, json={"displayName": "one-more"})).status_code == 202


async def test_after_the_deletion_only_its_operations_are_left(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await _fill_every_table(client, store_id)
    await _fill_history(database, store_id)
    history = {"event", "separation", "history_end", "event_feed", "event_batch"}
    everywhere = {"store", "trait_group", "operation", "profile", "alias", "identifier"}
    assert await _tables_with(database, store_id) == everywhere | history
    operation = await finished(client, await client.delete(f"{STORES}/{store_id}"))
    assert (operation["status"], operation["result"]["id"]) == ("COMPLETED", store_id)
    assert await _tables_with(database, store_id) == {"operation"}
    assert not any("a@example.com" in row for rows in (await contents(database)).values() for row in rows)


async def test_other_stores_are_unchanged(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    other = await make_store(client, "other")
    for each in (store_id, other):
        await _fill_every_table(client, each)
    uuid = str(ids.decoded(other))

    async def rows_of_other() -> dict[str, list[str]]:
        return {name: sorted(row for row in rows if uuid in row) for name, rows in (await contents(database)).items()}

    before = await rows_of_other()
    assert (await finished(client, await client.delete(f"{STORES}/{store_id}")))["status"] == "COMPLETED"
    assert await rows_of_other() == before


async def test_an_empty_store_is_deleted(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    assert (await finished(client, await client.delete(f"{STORES}/{store_id}")))["status"] == "COMPLETED"
    assert await _tables_with(database, store_id) == {"operation"}


async def test_only_one_of_concurrent_deletions_is_accepted(client: httpx.AsyncClient, store_id: str) -> None:
    answers = await asyncio.gather(*[client.delete(f"{STORES}/{store_id}") for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [202] + [404] * 5


async def test_writes_during_a_deletion_leave_nothing(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    began = asyncio.Event()

    async def write_until_it_is_gone(writer: int) -> int:
        for number in range(10_000):
            body = {"traits": {"Contact": {"chat": f"c-{writer}-{number}"}}}
            status = (await client.post(f"/v1/Stores/{store_id}/Profiles", json=body)).status_code
            began.set()
            if status != 202:
                return status
        return 0

    writers = [asyncio.create_task(write_until_it_is_gone(writer)) for writer in range(8)]
    await began.wait()
    deleted = await client.delete(f"{STORES}/{store_id}")
    assert set(await asyncio.gather(*writers)) == {404}
    assert (await finished(client, deleted))["status"] == "COMPLETED"
    assert await _tables_with(database, store_id) == {"operation"}


async def test_deleting_a_large_store_does_not_delay_writes_to_others(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    other = await make_store(client, "other")
    await _fill(database, store_id, MANY)
    deleted = await client.delete(f"{STORES}/{store_id}")
    slowest, written = 0.0, 0
    while (await client.get(deleted.headers["Location"])).json()["status"] != "COMPLETED":
        began = time.monotonic()
        profile_id = await make_profile(client, other, chat=f"c-{written}")
        assert await look_up(client, other, "chat", f"c-{written}") == [profile_id]
        slowest, written = max(slowest, time.monotonic() - began), written + 1
    assert written > 5  # the deletion took long enough to delay writes
    assert slowest < 4  # no write waited for the whole deletion or for a lock timeout
    assert await _tables_with(database, store_id) == {"operation"}


@pytest.mark.parametrize("order", ["settings first", "traits first"])
async def test_pending_operations_of_a_deleted_store_end(
    client: httpx.AsyncClient, store_id: str, database: Database, order: str
) -> None:
    await _fill_every_table(client, store_id)
    await _fill(database, store_id, 3000)
    settings_url = f"{STORES}/{store_id}/IdentityResolutionSettings"
    settings = (await client.get(settings_url)).json()
    settings["identifierConfigs"][3]["normalization"] = "email"
    requests = [client.put(settings_url, json=settings), client.delete(f"{STORES}/{store_id}/TraitGroups/Billing")]
    accepted = [await request for request in (requests if order == "settings first" else requests[::-1])]
    deleted = await client.delete(f"{STORES}/{store_id}")
    assert (await finished(client, deleted))["status"] == "COMPLETED"
    assert {(await finished(client, each))["status"] for each in accepted} <= {"COMPLETED", "FAILED"}
    assert await _tables_with(database, store_id) == {"operation"}


async def test_a_store_with_changed_settings_is_deleted(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await change_settings(client, store_id, crm={"matchingAlgo": "fuzzy", "enforceUnique": False})
    await make_profile(client, store_id, chat="c-1")
    assert (await finished(client, await client.delete(f"{STORES}/{store_id}")))["status"] == "COMPLETED"
    assert await _tables_with(database, store_id) == {"operation"}
