"""The program in a separate process, reached over TCP, as users run it."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from profile_lookup.accounts.queries import account_of
from profile_lookup.database.pool import Database
from profile_lookup.settings import PREFIX
from profile_lookup.stores import queries as stores
from profile_lookup.web import ids
from tests.citus.distributed import CITUS_URL
from tests.conftest import PATIENCE, make_account
from tests.databases import RUN_DIRECTORY
from tests.program.forked import ForkedCommand, run_command

ACCOUNT = "ACd0000000000000000000000000000000"
TOKEN = "aTokenOfAtLeast24Characters"
BLOCKED_SESSIONS = (
    "select count(*) from citus_lock_waits where blocking_gpid = citus_backend_gpid()"
    if CITUS_URL in os.environ
    else "select count(*) from pg_locks where not granted and pg_backend_pid() = any (pg_blocking_pids(pid))"
)

MIB = 1 << 20

Credentials = tuple[str, str]


def environment(**settings: object) -> dict[str, str]:
    """Return the environment of a new user, with only these settings."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    shared: dict[str, object] = {
        "CACHE_DIR": Path(os.environ[RUN_DIRECTORY]) / "cache",  # makes one template for all
        "STOP_DELAY_SECONDS": 0,  # no load balancer is to notice
    }
    return plain | {f"{PREFIX}{name}": str(value) for name, value in (shared | settings).items()}


def command(*arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    return run_command(arguments, environment(**settings), "", PATIENCE)


def shown_values(printed: str) -> tuple[str, str]:
    """Return the two values that a command printed as `Name:  value  (remark)`."""
    first, second = (line.partition(": ")[2].split()[0] for line in printed.splitlines())
    return first, second


@contextmanager
def serving(*arguments: str, **settings: object) -> Iterator[tuple[ForkedCommand, list[str]]]:
    """Start the service; yield its process and its output up to the address, or up to the demo's curl command."""
    process = ForkedCommand(["serve", "--port", "0", *arguments], environment(**settings))
    last = "curl" if "--demo" in arguments else "  Docs page:"
    printed: list[str] = []
    try:
        for line in process.stdout:
            printed.append(line.rstrip("\n"))
            if line.startswith(last):
                break
        else:
            pytest.fail(f"it ended: {process.stderr.read()}")
        yield process, printed
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


@contextmanager
def working(**settings: object) -> Iterator[ForkedCommand]:
    """Start `profile-lookup worker`, and yield it after its first line of output."""
    with ForkedCommand(["worker"], environment(**settings)) as process:
        line = process.stdout.readline()
        if not line:
            pytest.fail(f"it ended: {process.communicate(timeout=PATIENCE)[1]}")
        assert line == "profile-lookup works on operations\n"
        try:
            yield process
        finally:
            process.kill()


def base_url_in(printed: Sequence[str]) -> str:
    """Return the address that a service has printed in its first line."""
    return printed[0].rpartition(" ")[2]


@asynccontextmanager
async def client_of(printed: Sequence[str]) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=base_url_in(printed), auth=(ACCOUNT, TOKEN), timeout=PATIENCE) as client:
        yield client


async def wait_until_blocked(connection: "asyncpg.Connection[Any]") -> None:
    async with asyncio.timeout(PATIENCE):
        while not await connection.fetchval(BLOCKED_SESSIONS):
            await asyncio.sleep(0.01)


def workers_of(process: ForkedCommand) -> list[psutil.Process]:
    """Return its child processes that work on operations."""
    return [child for child in psutil.Process(process.pid).children() if "worker" in child.cmdline()]


@pytest.fixture
def database_url(own_database_url: str) -> str:
    """The URL of a new database: these tests kill processes in the middle of their transactions."""
    return own_database_url


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    opened = await asyncpg.connect(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def served_settings(database_url: str) -> dict[str, object]:
    return {"DATABASE_URL": database_url, "BOOTSTRAP_ACCOUNT_SID": ACCOUNT, "BOOTSTRAP_AUTH_TOKEN": TOKEN}


@dataclass(frozen=True)
class Service:
    pid: int
    base_url: str
    credentials: Credentials
    store_id: str

    @property
    def profiles(self) -> str:
        """The path of the store's profiles."""
        return f"/v1/Stores/{self.store_id}/Profiles"

    def client(self, credentials: Credentials | None) -> httpx.Client:
        return httpx.Client(base_url=self.base_url, auth=credentials, timeout=PATIENCE)

    def async_client(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.base_url, auth=self.credentials, timeout=PATIENCE, **options)

    @contextmanager
    def growing_less_than(self, limit: int) -> Iterator[None]:
        """Assert that the process needs at most so many bytes more than now while the block runs."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # the peak begins anew
        before = self._peak()
        yield
        grown = self._peak() - before
        print(f"memory grew by {grown / MIB:.0f} MiB")  # noqa: T201 -- a figure for docs/reliability.md
        assert grown < limit

    def _peak(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024


def service_of(process: ForkedCommand, printed: Sequence[str], settings: Mapping[str, object]) -> Service:
    """Return how to reach a service that `serving("--demo", **settings)` started."""
    demo = json.loads(command("demo", "--json", **settings).stdout)
    return Service(process.pid, base_url_in(printed), (demo["apiKey"], demo["apiSecret"]), demo["storeId"])


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path, "RUN_OPERATIONS": False}
    with serving("--demo", **settings) as (process, printed):
        running = service_of(process, printed, settings)
        with running.client(running.credentials) as client:
            client.get(running.profiles)  # what is loaded at the first request
        yield running


@pytest.fixture
def store(database_url: str) -> str:
    """The ID of a store in the only account."""

    async def make() -> str:
        database = Database(database_url, pool_size=1)
        sid, _ = await make_account(database)
        async with database.transaction() as connection:
            account_id = await account_of(connection, sid)
            assert account_id is not None
            created = await stores.create(connection, account_id, display_name="x", description=None, max_stores=1)
        await database.close()
        return ids.store_id(created)

    return asyncio.run(make())
