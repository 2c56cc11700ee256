"""Watches statements that may take hours, instead of limiting their time.

Every few seconds, a query on a second connection finds out whether PostgreSQL still works on such a statement. We give
the statement up only if PostgreSQL does not, or if both connections are silent, so nobody waits for a lost server for
ever.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.errors import Unavailable

INTERVAL = 3.0  # seconds between two queries
LONGEST_SILENCE = 20.0  # seconds; a server that is merely busy answers once in a while

Fetch = Callable[..., Awaitable[Sequence[asyncpg.Record]]]
"""Runs a query on a connection of its own. Raises `Unavailable`."""

_BACKEND = text("select pid, backend_start from pg_stat_activity where pid = pg_backend_pid()")
# An idle backend does no more work for us, and its last answer may have been lost on the way.
_IS_BUSY = """
    select from pg_stat_activity
    where pid = $1 and backend_start = $2
        and (state <> 'idle' or state_change > clock_timestamp() - interval '10s')
"""


@asynccontextmanager
async def watched(connection: AsyncConnection, fetch: Fetch) -> AsyncIterator[None]:
    """Raise `Unavailable` from the block once PostgreSQL has ended the connection's work, or is silent.

    The connection must have no transaction yet. Roll it back within the block, since a silent server would not end it.
    """
    backend = (await connection.execute(_BACKEND)).one()
    await connection.rollback()
    try:
        async with asyncio.timeout(None) as limit:
            watch = asyncio.create_task(_watch(backend, fetch, limit))
            try:
                yield
            finally:
                watch.cancel()
    except TimeoutError as error:
        if limit.expired():
            raise Unavailable("the database has stopped working on it") from error
        raise


async def _watch(backend: Row[Any], fetch: Fetch, limit: asyncio.Timeout) -> None:
    loop = asyncio.get_running_loop()
    answered_at = loop.time()
    while loop.time() - answered_at < LONGEST_SILENCE:
        await asyncio.sleep(INTERVAL)
        try:
            found = await fetch(_IS_BUSY, *backend)
        except Unavailable:
            continue
        if not found:
            break
        answered_at = loop.time()
    limit.reschedule(loop.time())
