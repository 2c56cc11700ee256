"""Fixtures of real parts: one embedded PostgreSQL serves the whole run, and each test finds an empty database."""

import asyncio
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.accounts.credentials import Credentials, digest, new_account_sid, new_secret
from profile_lookup.accounts.queries import ensure_account
from profile_lookup.database.pool import Database
from profile_lookup.settings import PREFIX, Settings
from tests.citus.distributed import CITUS_URL
from tests.citus.store_node import on_all_nodes
from tests.contract.conforming import ConformingTransport
from tests.databases import RUN_DIRECTORY, database_copy, migrated_server
from tests.identity.examples import ALL_EXAMPLES
from tests.service_fixtures import (
    app,
    citus_template,
    citus_urls,
    database,
    database_url,
    emptied_beside_app,
    own_app,
    own_database_url,
    own_pool,
    own_service_url,
    reused_database,
    reused_url,
    service_url,
    settings,
    shared_app,
    shared_pool,
    shared_service_url,
    shared_settings,
)

__all__ = [
    "app",
    "citus_template",
    "citus_urls",
    "database",
    "database_url",
    "emptied_beside_app",
    "own_app",
    "own_database_url",
    "own_pool",
    "own_service_url",
    "reused_database",
    "reused_url",
    "service_url",
    "settings",
    "shared_app",
    "shared_pool",
    "shared_service_url",
    "shared_settings",
]

BASE_URL = "http://service.test"
MEMORY_NEEDED = 4 << 30  # bytes
PATIENCE = 60  # seconds until a test gives up; long, because the machine may be busy
# Counts the sessions that wait for a lock. It does not read pg_stat_activity, which stays the same for a whole
# transaction after it was first read.
WAITING = on_all_nodes("""
    select count(distinct waiting.pid) from pg_locks as waiting
    join pg_locks as held on held.pid = waiting.pid
    where not waiting.granted
        and held.database = (select oid from pg_database where datname = current_database())
""")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the slow proofs, which CI runs")
    parser.addoption("--pairs", type=int, default=10_000, help="pairs of a write and a Lookup while standbys fail")
    parser.addoption("--writers", type=int, default=16, help="clients that write while the primary is killed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "slow" in item.keywords and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="a slow proof: needs --slow"))
        plain = item.get_closest_marker("plain_postgresql")
        if plain is not None and CITUS_URL in os.environ:
            item.add_marker(pytest.mark.skip(reason=f"needs plain PostgreSQL: {plain.args[0]}"))


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # this is the controller; its workers inherit the environment
        # Not in pytest's directory: if root runs the tests, PostgreSQL runs as another user, who cannot read that.
        os.environ[RUN_DIRECTORY] = tempfile.mkdtemp(prefix="profile-lookup-tests-", dir=_memory_directory())
        Path(os.environ[RUN_DIRECTORY]).chmod(0o711)
        if config.getoption("--slow"):
            os.environ[ALL_EXAMPLES] = "1"
        # If an image sets it, each of two hundred processes compiles all modules again.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        # A background job of a shell ignores Ctrl-C, and so would every process that the tests start.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.set_threshold(50_000)  # the default, a collection after every 700 new containers, takes a quarter of the time


def _memory_directory() -> Path | None:
    """Return the directory whose files are in memory, if it has enough free space.

    Each test's database consists of 400 files. On a disk that others write to, they take ten times as long.
    """
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_NEEDED else None


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ[RUN_DIRECTORY], ignore_errors=True)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_settings_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a PostgreSQL that the pytest workers share: an embedded one, or the one of `TEST_SERVER_URL`."""
    with migrated_server() as url:
        yield url


@pytest.fixture
def data_dir() -> Path:
    """A directory for an embedded database that an unprivileged server can reach even if root runs the tests."""
    return Path(os.environ[RUN_DIRECTORY]) / uuid4().hex / "a path with spaces"


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    yield from database_copy(server_url, "template1")


@pytest.fixture
async def account(database: Database) -> tuple[str, str]:
    """An account's SID and auth token."""
    return await make_account(database)


@pytest.fixture
async def client(app: FastAPI, account: tuple[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """A client that calls the service with the account's credentials."""
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=account) as opened:
        yield opened


@pytest.fixture
async def store_id(client: httpx.AsyncClient) -> str:
    return await make_store(client)


@pytest.fixture
def synchronous_account(settings: Settings) -> tuple[str, str]:
    """The SID and auth token of an account, for tests that are not coroutines."""
    return asyncio.run(new_account(settings))


async def new_account(settings: Settings) -> tuple[str, str]:
    """Make an account beside the service's connections, and return its SID and auth token."""
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), pool_size=1)
    try:
        return await make_account(database)
    finally:
        await database.close()


async def make_account(database: Database) -> tuple[str, str]:
    sid, token = new_account_sid(), new_secret()
    async with database.transaction() as connection:
        await ensure_account(connection, "test", Credentials(sid, digest(token)))
    return sid, token


async def make_store(client: httpx.AsyncClient, name: str = "customers") -> str:
    accepted = await client.post("/v1/ControlPlane/Stores", json={"displayName": name})
    assert accepted.status_code == 202, accepted.text
    operation = await client.get(accepted.json()["statusUrl"])
    store_id: str = operation.json()["result"]["id"]
    return store_id


async def make_profile(client: httpx.AsyncClient, store_id: str, **contact: object) -> str:
    created = await client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": {"Contact": contact}})
    assert created.status_code == 202, created.text
    profile_id: str = created.json()["id"]
    return profile_id


async def look_up(client: httpx.AsyncClient, store_id: str, id_type: str, value: str) -> list[str]:
    answer = await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json={"idType": id_type, "value": value})
    assert answer.status_code == 200, answer.text
    profiles: list[str] = answer.json()["profiles"]
    return profiles


async def finished(client: httpx.AsyncClient, accepted: httpx.Response) -> dict[str, Any]:
    """Wait until the operation of an accepted request has ended, and return it."""
    assert accepted.status_code == 202, accepted.text
    async with asyncio.timeout(PATIENCE):
        while True:
            operation: dict[str, Any] = (await client.get(accepted.headers["Location"])).json()
            if operation["status"] not in ("PENDING", "RUNNING"):
                return operation
            await asyncio.sleep(0.05)


async def change_settings(
    client: httpx.AsyncClient,
    store_id: str,
    *,
    rules: Sequence[str] | None = None,
    **configs_by_type: Mapping[str, object],
) -> dict[str, Any]:
    """Change or add these types' configurations, wait until the operation has ended, and return it."""
    path = f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"
    settings = (await client.get(path)).json()
    configs = {config["idType"]: config for config in settings["identifierConfigs"]}
    for id_type, changes in configs_by_type.items():
        configs[id_type] = configs.get(id_type, {"idType": id_type}) | dict(changes)
    settings["identifierConfigs"] = list(configs.values())
    settings["matchingRules"] = settings["matchingRules"] if rules is None else rules
    return await finished(client, await client.put(path, json=settings))
