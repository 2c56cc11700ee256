"""A process that is killed in the middle of a split leaves everything as it was."""

import asyncio
import signal
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from profile_lookup.database.pool import Database
from tests.conftest import finished, make_store
from tests.database.contents import contents
from tests.history.splits import events_of, joins_of, merged, split, with_many_events
from tests.program.conftest import client_of, serving, wait_until_blocked, working


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


@pytest.mark.parametrize(
    "table",
    [
        "split_part",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("profile", "alias", "event", "separation")),
    ],
)
async def test_a_worker_that_is_killed_in_the_middle_of_a_large_split_changes_nothing_and_the_next_one_does_it(
    database: Database,
    connection: "asyncpg.Connection[Any]",
    served_settings: dict[str, object],
    table: str,
) -> None:
    with serving(**served_settings | {"RUN_OPERATIONS": False}) as (_, printed):
        async with client_of(printed) as client:
            store_id = await make_store(client)
            ann, bob = await merged(client, store_id)
            path = f"/v1/Stores/{store_id}/Profiles/{ann}"
            assert (await client.patch(path, json={"traits": {"Contact": {"city": "Rome"}}})).status_code == 202
            await with_many_events(database, ann)
            accepted = await split(client, store_id, ann, await joins_of(database, ann))
            before = await contents(database)
            async with connection.transaction():
                await connection.execute(f"lock table {table} in share mode")
                with working(**served_settings) as worker:
                    await wait_until_blocked(connection)
                    worker.kill()
            after = await contents(database)
            changed = {name for name in before if before[name] != after[name]}
            # On Citus, the worker also looks at once whether history of the store must end.
            assert changed <= {"operation", "operation_turn", "history_end"}
            await connection.execute("update operation set leased_until = now() where lease is not null")
            await connection.execute("update operation_turn set ready_at = now()")
            with working(**served_settings):
                assert (await finished(client, accepted))["status"] == "COMPLETED"
            assert (await client.get(f"/v1/Stores/{store_id}/Profiles/{bob}")).status_code == 200
    assert len(await events_of(database, ann, "split")) == 1
