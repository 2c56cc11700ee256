"""A database that is distributed over three nodes of Citus, for the tests that `TEST_CITUS_URL` allows to run."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import asyncpg
import pytest

from profile_lookup.database import citus
from profile_lookup.database.migrations import migrate
from profile_lookup.database.pool import Database

CITUS_URL = "TEST_CITUS_URL"
NODES = "select nodename, nodeport from pg_dist_node where isactive order by groupid"


@pytest.fixture(scope="session")
def citus_url() -> str:
    """The URL of a migrated and distributed database on the coordinator. It stays as it is after the run."""
    if CITUS_URL not in os.environ:
        pytest.skip(f"needs {CITUS_URL}: the URL of a database on a coordinator of Citus that has workers")
    url = os.environ[CITUS_URL]
    migrate(url)
    asyncio.run(distribute(url))
    return url


async def distribute(url: str) -> list[str]:
    database = Database(url, pool_size=1)
    try:
        async with database.statements() as connection:
            return [step async for step in citus.distribute(connection)]
    finally:
        await database.close()


@pytest.fixture
async def nodes(citus_url: str) -> AsyncIterator[Sequence[asyncpg.Connection]]:
    """A connection to each node, the coordinator first, as the services beside that node would have."""
    coordinator = await asyncpg.connect(citus_url)
    addresses = await coordinator.fetch(NODES)
    await coordinator.close()
    async with AsyncExitStack() as stack:
        opened = []
        for host, port in addresses:
            opened.append(await asyncpg.connect(citus_url, host=host, port=port, statement_cache_size=0))
            stack.push_async_callback(opened[-1].close)
        yield opened
