"""While one standby is paused again and again, and another is killed and comes back, no Lookup is stale or fails."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from tests.conftest import look_up, make_profile
from tests.standbys.cluster import Cluster
from tests.standbys.conftest import reads_of, standbys_of, until_used

CLIENTS = 16

log = logging.getLogger(__name__)


@pytest.mark.slow
async def test_ten_thousand_pairs_of_a_write_and_a_lookup(
    cluster: Cluster, app: FastAPI, client: httpx.AsyncClient, store_id: str, pytestconfig: pytest.Config
) -> None:
    numbers = iter(range(pytestconfig.getoption("--pairs")))

    async def pairs() -> None:
        for number in numbers:
            email = f"ann{number}@example.com"
            profile_id = await make_profile(client, store_id, email=email)
            assert await look_up(client, store_id, "email", email) == [profile_id]

    await until_used(app)
    async with _again_and_again(lambda: _pause(cluster)), _again_and_again(lambda: _kill(cluster)):
        await asyncio.gather(*(pairs() for _ in range(CLIENTS)))
    for standby in standbys_of(app):
        outcomes = {outcome: reads_of(standby, outcome) for outcome in ("answered", "late", "failed")}
        log.warning("standby %d: %s", standby.number, outcomes)
        assert outcomes["answered"] > 0


async def _pause(cluster: Cluster) -> None:
    """Pause the replay of the first standby for two seconds, and then all its processes for another one."""
    first = cluster.standbys[0]
    await first.execute("select pg_wal_replay_pause()")
    await asyncio.sleep(2)
    await first.execute("select pg_wal_replay_resume()")
    await asyncio.sleep(1)
    first.pause()
    await asyncio.sleep(1)
    first.resume()
    await asyncio.sleep(2)


async def _kill(cluster: Cluster) -> None:
    await asyncio.sleep(3)
    await asyncio.to_thread(cluster.standbys[1].kill)
    await asyncio.sleep(2)
    await asyncio.to_thread(cluster.standbys[1].start)
    await asyncio.sleep(2)


@asynccontextmanager
async def _again_and_again(disturb: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Disturb the standbys while the block runs, and let the last disturbance come to its end."""
    is_over = asyncio.Event()

    async def run() -> None:
        while not is_over.is_set():
            await disturb()

    running = asyncio.create_task(run())
    try:
        yield
    finally:
        is_over.set()
        await running
