"""A connection whose opening is cancelled, at whatever moment, is closed."""

import asyncio

import asyncpg
import pytest

from profile_lookup.database.connections import connect
from tests.conftest import PATIENCE

MOMENTS = 60
PAUSE = 0.0003  # seconds; opening a connection takes some milliseconds
_OTHERS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


@pytest.mark.plain_postgresql("nodes of Citus have connections of their own to each other")
async def test_a_connection_whose_opening_is_cancelled_is_closed(own_database_url: str) -> None:
    opened = 0
    for moment in range(MOMENTS):
        opening = asyncio.create_task(connect(own_database_url))
        await asyncio.sleep(moment * PAUSE)
        opening.cancel()
        (outcome,) = await asyncio.gather(opening, return_exceptions=True)
        if isinstance(outcome, asyncpg.Connection):
            opened += 1
            await outcome.close()
    assert opened < MOMENTS
    watching = await asyncpg.connect(own_database_url)
    try:
        async with asyncio.timeout(PATIENCE):
            while await watching.fetchval(_OTHERS):
                await asyncio.sleep(0.05)
    finally:
        await watching.close()
