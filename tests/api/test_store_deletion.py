"""DELETE /v1/ControlPlane/Stores/{storeId}: gone at once for clients, and in the end for everybody."""

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
        insert into profile (store_id, id, created_at)
        select :store_id, gen_random_uuid(), now() from generate_series(1, :count)
        returning store_id, id
    ),
    described as (
        insert into trait (store_id, profile_id, group_name, name, value, written_at)
        select store_id, id, 'Contact', 'city', '"Gary"', now() from made
    )
    insert into identifier (store_id, id_type, value, profile_id, is_unique, added_at)
    select store_id, 'chat', 'chat-' || row_number() over (), id, true, now() from made
""")


async def _fill(database: Database, store_id: str, count: int) -> None:
    async with database.transaction() as connection:
        await connection.execute(_FILL, {"store_id": ids.decoded(store_id), "count": count})


async def _with_a_history(client: httpx.AsyncClient, store_id: str) -> None:
    """Something in every table."""
    await make_profile(client, store_id, chat="c-1", city="Gary")
    await make_profile(client, store_id, phone="+13175551234")
    await make_profile(client, store_id, email="a@example.com")
    await make_profile(client, store_id, phone="+13175551234", email="a@example.com")
    await make_profile(client, store_id, chat="c-1", email="a@example.com")
    groups = f"{STORES}/{store_id}/TraitGroups"
    assert (await client.post(groups, json={"displayName": "Billing"})).status_code == 202


async def _tables_with(database: Database, store_id: str) -> set[str]:
    uuid = str(UUID(str(ids.decoded(store_id))))
    return {name for name, rows in (await contents(database)).items() if any(uuid in row for row in rows)}


async def test_a_deleted_store_is_gone_at_once(client: httpx.AsyncClient, store_id: str) -> None:
    profile_id = await make_profile(client, store_id, chat="c-1")
    await look_up(client, store_id, "chat", "c-1")  # now this process knows it
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


async def test_its_name_is_free_at_once(client: httpx.AsyncClient, store_id: str) -> None:
    await client.delete(f"{STORES}/{store_id}")
    assert await make_store(client, "customers") != store_id


async def test_it_no_longer_counts(client: httpx.AsyncClient) -> None:
    stores = [await make_store(client, f"store-{number}") for number in range(15)]
    assert (await client.post(STORES, json={"displayName": "one-more"})).json()["code"] == 520044
    await client.delete(f"{STORES}/{stores[3]}")
    assert (await client.post(STORES, json={"displayName": "one-more"})).status_code == 202


async def test_when_its_operation_has_ended_nothing_is_left_of_it_but_that_it_was(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await _with_a_history(client, store_id)
    everywhere = {"store", "trait_group", "operation", "profile", "alias", "identifier", "trait", "merge"}
    assert await _tables_with(database, store_id) == everywhere
    operation = await finished(client, await client.delete(f"{STORES}/{store_id}"))
    assert (operation["status"], operation["result"]["id"]) == ("COMPLETED", store_id)
    assert await _tables_with(database, store_id) == {"operation"}
    assert not any("a@example.com" in row for rows in (await contents(database)).values() for row in rows)


async def test_other_stores_are_left_alone(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    other = await make_store(client, "other")
    for each in (store_id, other):
        await _with_a_history(client, each)
    uuid = str(ids.decoded(other))

    async def of_other() -> dict[str, list[str]]:
        return {name: sorted(row for row in rows if uuid in row) for name, rows in (await contents(database)).items()}

    before = await of_other()
    assert (await finished(client, await client.delete(f"{STORES}/{store_id}")))["status"] == "COMPLETED"
    assert await of_other() == before


async def test_an_empty_store_is_deleted(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    assert (await finished(client, await client.delete(f"{STORES}/{store_id}")))["status"] == "COMPLETED"
    assert await _tables_with(database, store_id) == {"operation"}


async def test_of_deletions_at_once_one_is_accepted(client: httpx.AsyncClient, store_id: str) -> None:
    answers = await asyncio.gather(*[client.delete(f"{STORES}/{store_id}") for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [202] + [404] * 5


async def test_writes_to_it_meanwhile_are_done_before_or_refused_and_nothing_stays(
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


async def test_writes_to_other_stores_go_on_while_a_big_one_is_deleted(
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
    assert written > 5  # it took so long that something could have waited for it
    assert slowest < 4  # none has: that would have been for the whole of it, or until a lock's timeout
    assert await _tables_with(database, store_id) == {"operation"}


@pytest.mark.parametrize("order", ["settings first", "traits first"])
async def test_what_was_still_to_be_done_in_it_ends_too(
    client: httpx.AsyncClient, store_id: str, database: Database, order: str
) -> None:
    await _with_a_history(client, store_id)
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


async def test_a_store_with_settings_of_its_own_is_deleted(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await change_settings(client, store_id, crm={"matchingAlgo": "fuzzy", "enforceUnique": False})
    await make_profile(client, store_id, chat="c-1")
    assert (await finished(client, await client.delete(f"{STORES}/{store_id}")))["status"] == "COMPLETED"
    assert await _tables_with(database, store_id) == {"operation"}
