"""POST …/Profiles/Imports/{importId}/Cancel: what was applied stays, and no other row is applied."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from tests.conftest import PATIENCE, WAITING, make_profile
from tests.database.stores import lock_profiles_of
from tests.imports.conftest import create, ended, imported, path_of, upload

ROWS = 5000
FILE = "E-mail,Phone,First\n" + "".join(f"p{number}@example.com,,Ann\n" for number in range(ROWS))


async def cancelled(client: httpx.AsyncClient, store_id: str, created: dict[str, Any]) -> httpx.Response:
    return await client.post(f"{path_of(store_id, created)}/Cancel")


async def operation_of(client: httpx.AsyncClient, created: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = (await client.get(created["statusUrl"])).json()
    return operation


async def test_an_import_that_waits_for_its_file_is_cancelled_and_takes_no_file_any_more(
    client: httpx.AsyncClient, store_id: str
) -> None:
    created = await create(client, store_id, len(FILE))
    answer = await cancelled(client, store_id, created)
    assert (answer.status_code, answer.json()["statusUrl"]) == (202, created["statusUrl"])
    assert answer.json()["message"] == "The import is cancelled after 0 rows."
    assert (await operation_of(client, created))["status"] == "CANCELLED"
    assert (await client.get(path_of(store_id, created))).json()["status"] == "FAILED"
    assert (await upload(client, created["url"], FILE.encode())).status_code == 403
    again = await cancelled(client, store_id, created)
    assert (again.status_code, again.json()) == (202, answer.json())


async def test_a_dry_run_is_cancelled_too(client: httpx.AsyncClient, store_id: str) -> None:
    created = await create(client, store_id, len(FILE), options={"dryRun": True})
    answer = await cancelled(client, store_id, created)
    assert (answer.status_code, answer.json()["message"]) == (202, "The dry run is cancelled after 0 rows.")
    assert (await operation_of(client, created))["status"] == "CANCELLED"


@pytest.fixture
async def half_done(client: httpx.AsyncClient, store_id: str, database: Database) -> dict[str, Any]:
    """An import that was cancelled while a step of it waited for the lock of a profile."""
    await make_profile(client, store_id, email="p3000@example.com")
    async with database.transaction() as blocking, database.statements() as watching:
        await lock_profiles_of(blocking, store_id)
        created = await create(client, store_id, len(FILE))
        assert (await upload(client, created["url"], FILE.encode())).status_code == 200
        async with asyncio.timeout(PATIENCE):
            while not await watching.scalar(text(WAITING)):
                await asyncio.sleep(0.02)
        answer = await cancelled(client, store_id, created)
        assert answer.status_code == 202
    return created | {"message": answer.json()["message"]}


async def test_the_rows_that_were_applied_stay_and_no_other_row_is_applied(
    client: httpx.AsyncClient, store_id: str, half_done: dict[str, Any], database: Database
) -> None:
    answer = await ended(client, store_id, half_done)
    assert answer["status"] == "FAILED"
    assert "error" not in answer
    done = answer["progress"]["rowsDone"]
    assert 0 < done < 3000
    assert half_done["message"] == f"The import is cancelled after {done:,} of 5,000 rows."
    assert (await operation_of(client, half_done))["status"] == "CANCELLED"
    # The next import of the store begins at once, and by then the worker has given this one up.
    following, _ = await imported(client, store_id, "E-mail,Phone,First\nx@example.com,,\n")
    assert following["status"] == "COMPLETED"
    async with database.statements() as connection:
        values = set((await connection.execute(text("select value from identifier where id_type = 'email'"))).scalars())
        assert await connection.scalar(text("select count(*) from operation_piece")) == 0
    assert values == {"p3000@example.com", "x@example.com"}.union(f"p{number}@example.com" for number in range(done))
    assert (await ended(client, store_id, half_done))["progress"]["rowsDone"] == done
    assert (await cancelled(client, store_id, half_done)).json()["message"] == half_done["message"]


async def test_an_import_that_has_ended_cannot_be_cancelled(client: httpx.AsyncClient, store_id: str) -> None:
    created = await create(client, store_id, len(FILE))
    await upload(client, created["url"], FILE.encode())
    assert (await ended(client, store_id, created))["status"] == "COMPLETED"
    refused = await cancelled(client, store_id, created)
    assert (refused.status_code, refused.json()["code"]) == (409, 20409)
    assert (await client.get(path_of(store_id, created))).json()["progress"]["rowsDone"] == ROWS
