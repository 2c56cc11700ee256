"""The processes of one service share its limits, also one that is started anew, and leave no memory behind."""

import asyncio
import sys
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import httpx
import psutil
import pytest

from profile_lookup.bucket_tables import MEMORY_NAME, BucketTables, shared_memory
from profile_lookup.errors import TooManyRequests
from profile_lookup.token_buckets import RateLimit, TokenBucket
from tests.conftest import PATIENCE
from tests.program.conftest import base_url_in, serving
from tests.rate_limits.keys import SELDOM

WORKERS = 3
BURST = 60
CONNECTIONS = 30

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there shared memory is a file")


def test_what_is_taken_through_one_name_of_the_memory_is_gone_through_another() -> None:
    bucket = TokenBucket("key", RateLimit(SELDOM, 2))
    with shared_memory() as name:
        first, second = BucketTables(name), BucketTables(name)
        first.callers.take([bucket], 1000.0)
        second.callers.take([bucket], 1000.0)
        with pytest.raises(TooManyRequests):
            first.callers.take([bucket], 1000.0)
        first.addresses.take([bucket], 1000.0)
        first.close()
        second.close()
    with pytest.raises(FileNotFoundError):
        SharedMemory(name)


@pytest.mark.slow
async def test_several_processes_serve_no_more_than_the_limit_even_if_one_is_started_anew(
    database_url: str, tmp_path: Path, account: tuple[str, str]
) -> None:
    limits = {"RATE_LIMIT_PER_ACCOUNT": SELDOM, "RATE_BURST_PER_ACCOUNT": BURST}
    with serving(DATABASE_URL=database_url, DATA_DIR=tmp_path, WORKERS=WORKERS, **limits) as (process, printed):
        base_url = base_url_in(printed)
        servers = _servers(process.pid)
        async with httpx.AsyncClient(base_url=base_url, auth=account, timeout=PATIENCE) as client:
            found = await _statuses(client, 2 * BURST)
            serving_some = [server for server in servers if _has_clients(server, int(base_url.rpartition(":")[2]))]
            assert len(serving_some) > 1, "one process has served everything, which shows nothing"
        # Two processes may take from a bucket in the same fraction of a microsecond, and then one taking is lost.
        assert BURST <= found.count(200) <= BURST + 2
        assert found.count(200) + found.count(429) == 2 * BURST
        servers[0].kill()
        async with asyncio.timeout(PATIENCE):
            while servers[0] in _servers(process.pid) or len(_servers(process.pid)) < WORKERS:
                await asyncio.sleep(0.1)
        async with httpx.AsyncClient(base_url=base_url, auth=account, timeout=PATIENCE) as client:
            assert set(await _statuses(client, 20)) == {429}


@pytest.mark.slow
async def test_no_memory_is_left_when_the_service_is_killed(database_url: str, tmp_path: Path) -> None:
    with serving(DATABASE_URL=database_url, DATA_DIR=tmp_path, WORKERS=2) as (process, _):
        servers = _servers(process.pid)
        memory = Path("/dev/shm") / servers[0].environ()[MEMORY_NAME]
        assert memory.exists()
        process.kill()
        for server in servers:
            server.kill()
        async with asyncio.timeout(PATIENCE):
            while memory.exists():
                await asyncio.sleep(0.05)


async def _statuses(client: httpx.AsyncClient, count: int) -> list[int]:
    """Send requests over many connections at once, so that several processes serve them."""
    gate = asyncio.Semaphore(CONNECTIONS)

    async def send() -> int:
        async with gate:
            return (await client.get("/v1/ControlPlane/Stores")).status_code

    return await asyncio.gather(*[send() for _ in range(count)])


def _servers(supervisor: int) -> list[psutil.Process]:
    """Return the processes that answer requests."""
    running = [child for child in psutil.Process(supervisor).children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in running if "multiprocessing.spawn" in " ".join(child.cmdline())]


def _has_clients(server: psutil.Process, port: int) -> bool:
    connections = server.net_connections("tcp4")
    return any(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in connections)
