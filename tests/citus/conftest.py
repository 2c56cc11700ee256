"""Connections to the nodes of Citus."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import asyncpg
import pytest

from tests.citus.distributed import NODES


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
