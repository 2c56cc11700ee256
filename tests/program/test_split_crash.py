"""A process that is killed in the middle of a split leaves everything as it was."""

import asyncio
import signal
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from profile_lookup.database.pool import Database
from tests.conftest import make_store
from tests.database.contents import contents
from tests.history.splits import joins_of, merged, split
from tests.program.conftest import client_of, serving, wait_until_blocked


@pytest.mark.parametrize(
    "table", ["event", *(pytest.param(each, marks=pytest.mark.slow) for each in ("profile", "alias", "separation"))]
)
async def test_a_process_that_is_killed_in_the_middle_of_a_split_changes_nothing(
    database: Database,
    connection: "asyncpg.Connection[Any]",
    served_settings: dict[str, object],
    table: str,
) -> None:
    with serving(**served_settings) as (process, printed):
        async with client_of(printed) as client:
            store_id = await make_store(client)
            ann, _ = await merged(client, store_id)
            joins = await joins_of(database, ann)
            before = await contents(database)
            async with connection.transaction():
                # The split writes these tables in this order, so it is stopped after all that come before.
                await connection.execute(f"lock table {table} in share mode")
                splitting = asyncio.create_task(split(client, store_id, ann, joins))
                await wait_until_blocked(connection)
                for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                    each.send_signal(signal.SIGKILL)
                with pytest.raises(httpx.TransportError):
                    await splitting
    assert await contents(database) == before
    with serving(**served_settings) as (_, printed):
        async with client_of(printed) as client:
            assert (await split(client, store_id, ann, joins)).status_code == 202
            assert (await split(client, store_id, ann, joins)).status_code == 409
