"""How many operations may be unfinished. No worker runs here, so none of them ends."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings
from tests.conftest import make_profile, make_store
from tests.imports.conftest import create, mappings, upload

PER_STORE, PER_ACCOUNT, WAITING = 3, 5, 4


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "run_operations": False,
            "max_operations_per_store": PER_STORE,
            "max_operations_per_account": PER_ACCOUNT,
            "max_waiting_imports_per_store": WAITING,
        }
    )


async def bulk(client: httpx.AsyncClient, store_id: str) -> httpx.Response:
    return await client.put(f"/v1/Stores/{store_id}/Profiles/Bulk", json={"profiles": [{}]})


async def create_import(client: httpx.AsyncClient, store_id: str) -> httpx.Response:
    body = {"filename": "people.csv", "fileSize": 1, "columnMappings": mappings()}
    return await client.post(f"/v1/Stores/{store_id}/Profiles/Imports", json=body)


async def fill(client: httpx.AsyncClient, store_id: str) -> None:
    """Enqueue as many operations as the store may have."""
    for _ in range(PER_STORE):
        assert (await bulk(client, store_id)).status_code == 202


def assert_refused(answer: httpx.Response, message: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (429, 20429)
    assert answer.json()["message"] == message
    assert int(answer.headers["Retry-After"]) > 0


async def _change_settings(client: httpx.AsyncClient, store_id: str) -> httpx.Response:
    path = f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"
    document = (await client.get(path)).json()
    config = next(each for each in document["identifierConfigs"] if each["idType"] == "chat")
    config["normalization"] = "none" if config["normalization"] == "trim" else "trim"
    return await client.put(path, json=document)


async def _remove_trait(client: httpx.AsyncClient, store_id: str) -> httpx.Response:
    path = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups/Billing"
    return await client.patch(path, json={"traits": {"plan": {"dataType": ""}}})


async def _block_values(client: httpx.AsyncClient, store_id: str) -> httpx.Response:
    return await client.put(f"/v1/ControlPlane/Stores/{store_id}/BlockedValues", json={"builtIn": False})


async def _delete_trait_group(client: httpx.AsyncClient, store_id: str) -> httpx.Response:
    return await client.delete(f"/v1/ControlPlane/Stores/{store_id}/TraitGroups/Billing")


@pytest.mark.parametrize("request_one", [bulk, _change_settings, _remove_trait, _block_values, _delete_trait_group])
async def test_a_request_that_needs_an_operation_is_refused_if_the_store_has_too_many(
    client: httpx.AsyncClient,
    store_id: str,
    database: Database,
    request_one: Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]],
) -> None:
    await make_profile(client, store_id, chat="c")
    billing = {"displayName": "Billing", "traits": {"plan": {"dataType": "STRING"}}}
    await client.post(f"/v1/ControlPlane/Stores/{store_id}/TraitGroups", json=billing)
    await fill(client, store_id)
    assert_refused(
        await request_one(client, store_id), f"This store already has {PER_STORE} unfinished operations, its limit"
    )
    async with database.transaction() as connection:
        end_one = "update operation set status = 'COMPLETED', completed_at = now() where id = (%s)"
        unfinished = "select id from operation where completed_at is null limit 1"
        await connection.execute(text(end_one % unfinished))
    assert (await request_one(client, store_id)).status_code == 202


async def test_all_stores_of_an_account_share_its_quota(client: httpx.AsyncClient) -> None:
    first, second = await make_store(client, "first"), await make_store(client, "second")
    await fill(client, first)
    for _ in range(PER_ACCOUNT - PER_STORE):
        assert (await bulk(client, second)).status_code == 202
    assert_refused(
        await bulk(client, second), f"This account already has {PER_ACCOUNT} unfinished operations, its limit"
    )


async def test_concurrent_requests_do_not_exceed_the_quotas(client: httpx.AsyncClient, store_id: str) -> None:
    answers = await asyncio.gather(*[bulk(client, store_id) for _ in range(12)])
    assert [each.status_code for each in answers].count(202) == PER_STORE
    answers = await asyncio.gather(*[create_import(client, store_id) for _ in range(12)])
    assert [each.status_code for each in answers].count(201) == WAITING


async def test_stores_are_created_and_deleted_whatever_is_unfinished(client: httpx.AsyncClient, store_id: str) -> None:
    await fill(client, store_id)
    assert (await client.delete(f"/v1/ControlPlane/Stores/{store_id}")).status_code == 202
    for name in ("another", "and-another"):
        created = await client.post("/v1/ControlPlane/Stores", json={"displayName": name})
        assert created.status_code == 202


async def test_requests_that_need_no_operation_are_served_whatever_is_unfinished(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await fill(client, store_id)
    await make_profile(client, store_id, chat="c")
    assert (await _change_settings(client, await make_store(client, "without-values"))).status_code == 202


async def test_imports_that_wait_for_their_file_have_a_quota_of_their_own(
    client: httpx.AsyncClient, store_id: str
) -> None:
    for _ in range(WAITING):
        assert (await create_import(client, store_id)).status_code == 201
    await fill(client, store_id)
    message = f"This store already has {WAITING} imports that wait for their file, its limit"
    assert_refused(await create_import(client, store_id), message)
    assert (await create_import(client, await make_store(client, "other"))).status_code == 201


async def test_an_import_whose_file_arrives_enters_the_queue_however_full_it_is(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await fill(client, store_id)
    for _ in range(WAITING + 1):  # each file that arrives makes room for another import that waits
        created = await create(client, store_id, 1)
        assert (await upload(client, created["url"], b"x")).status_code == 200
    async with database.statements() as connection:
        queued = "select count(*) from operation where completed_at is null and waits_until is null"
        assert await connection.scalar(text(queued)) == PER_STORE + WAITING + 1
    assert_refused(await bulk(client, store_id), f"This store already has {PER_STORE} unfinished operations, its limit")
