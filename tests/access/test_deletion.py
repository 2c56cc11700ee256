"""An account is deleted with all that others create in it at the same time."""

import asyncio
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from profile_lookup.accounts.administration import lock_account, remove_deleted
from profile_lookup.accounts.queries import account_of
from profile_lookup.database.pool import Database
from profile_lookup.stores.deletion import delete_account
from profile_lookup.stores.queries import create
from tests.access.callers import KEYS, caller, make_key
from tests.conftest import PATIENCE, WAITING

STORES = "/v1/ControlPlane/Stores"


async def _wait_for_lock(database: Database) -> None:
    """Return once a session waits for a lock."""
    async with asyncio.timeout(PATIENCE), database.statements() as connection:
        while not await connection.scalar(text(WAITING)):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("path", "body"), [(STORES, {"displayName": "late"}), (KEYS, {"scopes": ["read"]})], ids=["store", "key"]
)
async def test_nothing_is_created_in_an_account_that_is_being_deleted(
    client: httpx.AsyncClient, account: tuple[str, str], database: Database, path: str, body: dict[str, object]
) -> None:
    async with database.transaction() as connection:
        account_id = await account_of(connection, account[0])
        assert account_id is not None
        await lock_account(connection, account_id)
        creating = asyncio.create_task(client.post(path, json=body))
        await _wait_for_lock(database)
        await delete_account(connection, account_id)
    assert (await creating).status_code == 401
    await _remove(database)


async def test_a_store_that_is_created_just_before_goes_with_the_account(
    app: FastAPI, client: httpx.AsyncClient, account: tuple[str, str], database: Database
) -> None:
    key = await make_key(client)

    async def delete(account_id: UUID) -> None:
        async with database.transaction() as connection:
            await delete_account(connection, account_id)

    async with database.transaction() as connection:
        account_id = await account_of(connection, account[0])
        assert account_id is not None
        await create(connection, account_id, display_name="late", description=None, max_stores=1)
        deleting = asyncio.create_task(delete(account_id))
        await _wait_for_lock(database)
    await deleting
    async with caller(app, key["sid"], key["secret"]) as revoked:
        assert (await revoked.get(KEYS)).status_code == 401
    await _remove(database)


async def _remove(database: Database) -> None:
    """Let the row of the deleted account go, as the worker does once its operations have ended."""
    async with database.transaction() as connection:
        await connection.execute(text("delete from operation"))
        await remove_deleted(connection)
        assert await connection.scalar(text("select count(*) from account")) == 0
