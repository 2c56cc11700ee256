"""Connections to the nodes of Citus."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import asyncpg
import pytest


@pytest.fixture
async def nodes(citus_urls: Sequence[str]) -> AsyncIterator[Sequence[asyncpg.Connection]]:
    """A connection to each node, the coordinator first, as the services beside that node would have."""
    async with AsyncExitStack() as stack:
        opened = []
        for url in citus_urls:
            opened.append(await asyncpg.connect(url, statement_cache_size=0))
            stack.push_async_callback(opened[-1].close)
        yield opened
