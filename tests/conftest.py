"""Fixtures of real parts: one embedded PostgreSQL serves the whole run, and each test with data has its own database."""

import asyncio
import gc
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from filelock import FileLock

from profile_lookup.accounts.credentials import Credentials, digest, new_account_sid, new_secret
from profile_lookup.accounts.queries import ensure_account
from profile_lookup.app import create_app
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.database.migrations import migrate
from profile_lookup.database.pool import Database
from profile_lookup.jobs.job_handlers import running_worker
from profile_lookup.serving.processes import uvicorn_config
from profile_lookup.settings import PREFIX, Settings, load_settings
from tests.contract.conforming import ConformingTransport
from tests.identity.examples import ALL_EXAMPLES
from tests.reused_database import ReusedDatabase

RUN_DIRECTORY = "TEST_RUN_DIRECTORY"
SERVER_URL = "TEST_SERVER_URL"
TEMPLATE = "template_migrated"
BASE_URL = "http://service.test"
MEMORY_NEEDED = 4 << 30  # bytes
PATIENCE = 60  # seconds until a test gives up; long, because the machine may be busy
# Counts the sessions that wait for a lock. It does not read pg_stat_activity, which stays the same for a whole
# transaction after it was first read.
WAITING = """
    select count(distinct waiting.pid) from pg_locks as waiting
    join pg_locks as held on held.pid = waiting.pid
    where not waiting.granted
        and held.database = (select oid from pg_database where datname = current_database())
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the slow proofs, which CI runs")
    parser.addoption("--pairs", type=int, default=10_000, help="pairs of a write and a Lookup while standbys fail")
    parser.addoption("--writers", type=int, default=16, help="clients that write while the primary is killed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="a slow proof: needs --slow"))


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
    with _server() as url:
        with FileLock(f"{os.environ[RUN_DIRECTORY]}/template.lock"):
            if not asyncio.run(_exists(url, TEMPLATE)):
                asyncio.run(execute(url, "create database migrating"))
                migrate(url_of(url, "migrating"))
                asyncio.run(execute(url, f"alter database migrating rename to {TEMPLATE}"))
        yield url


@contextmanager
def _server() -> Iterator[str]:
    if SERVER_URL in os.environ:  # a superuser's, on a server that is there for this run alone
        yield os.environ[SERVER_URL]
        return
    settings = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}  # no data survives the run
    with EmbeddedPostgres(Path(os.environ[RUN_DIRECTORY]) / "postgres", settings=settings) as server:
        yield server.url_as(SUPERUSER)


@pytest.fixture
def data_dir() -> Path:
    """A directory for an embedded database that an unprivileged server can reach even if root runs the tests."""
    return Path(os.environ[RUN_DIRECTORY]) / uuid4().hex / "a path with spaces"


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    yield from database_copy(server_url, "template1")


@pytest.fixture(scope="session")
def reused_database(server_url: str) -> Iterator[ReusedDatabase]:
    with contextmanager(database_copy)(server_url, TEMPLATE) as url, ReusedDatabase.opened(url) as reused:
        yield reused


@pytest.fixture
def own_database_url(server_url: str) -> Iterator[str]:
    """The URL of a migrated database that only this test uses, and that is dropped after it."""
    yield from database_copy(server_url, TEMPLATE)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a migrated database that is empty when the test begins.

    Most of a test's time would go into the files of a new database, new connections and new plans. So the tests of the
    service that a pytest worker runs use one database, and those of a module one application, whose worker takes all
    operations. A test that changes the schema or looks into the application requests `own_database_url`. So does one
    that runs operations itself; without the service, a test has a database of its own anyway.
    """
    requested = set(request.fixturenames)
    if "own_database_url" in requested or not requested & {"app", "service_url"}:
        yield request.getfixturevalue("own_database_url")
        return
    reused: ReusedDatabase = request.getfixturevalue("reused_database")
    reused.is_empty = False
    yield reused.url
    if not reused.is_empty:
        reused.empty()


@pytest.fixture
async def _emptied_beside_app(reused_database: ReusedDatabase) -> AsyncIterator[None]:
    """Empty the database while the loop of the shared application runs, whose worker may hold locks."""
    yield
    await asyncio.to_thread(reused_database.empty)


@pytest.fixture(scope="module")
async def shared_pool(reused_database: ReusedDatabase) -> AsyncIterator[Database]:
    async with opened(reused_database.url) as pool:
        yield pool


@pytest.fixture
async def own_pool(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as pool:
        yield pool


@pytest.fixture
def database(request: pytest.FixtureRequest, database_url: str, reused_database: ReusedDatabase) -> Database:
    if database_url == reused_database.url:
        pool: Database = request.getfixturevalue("shared_pool")
        request.getfixturevalue("_emptied_beside_app")
    else:
        pool = request.getfixturevalue("own_pool")
    return pool


@pytest.fixture(scope="module")
def shared_settings(reused_database: ReusedDatabase, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(database_url=reused_database.url, data_dir=tmp_path_factory.mktemp("data"))


@pytest.fixture
def settings(database_url: str, tmp_path: Path, reused_database: ReusedDatabase, shared_settings: Settings) -> Settings:
    is_reused = database_url == reused_database.url
    return shared_settings if is_reused else load_settings(database_url=database_url, data_dir=tmp_path)


@pytest.fixture(scope="module")
async def shared_app(shared_settings: Settings) -> AsyncIterator[FastAPI]:
    async with running(app_with_worker(shared_settings)) as app:
        yield app


@pytest.fixture
async def own_app(settings: Settings) -> AsyncIterator[FastAPI]:
    async with running(app_with_worker(settings)) as app:
        yield app


@pytest.fixture
def app(request: pytest.FixtureRequest, settings: Settings, shared_settings: Settings) -> FastAPI:
    """The application, started once for all tests of a module that leave the settings as they are."""
    if settings == shared_settings:
        started: FastAPI = request.getfixturevalue("shared_app")
        request.getfixturevalue("_emptied_beside_app")
    else:
        started = request.getfixturevalue("own_app")
    return started


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


@pytest.fixture(scope="module")
def shared_service_url(shared_settings: Settings) -> Iterator[str]:
    with serving(shared_settings) as url:
        yield url


@pytest.fixture
def own_service_url(settings: Settings) -> Iterator[str]:
    with serving(settings) as url:
        yield url


@pytest.fixture
def service_url(request: pytest.FixtureRequest, settings: Settings, shared_settings: Settings) -> str:
    """The service's URL over real TCP, for clients that cannot call the ASGI application directly."""
    url: str = request.getfixturevalue("shared_service_url" if settings == shared_settings else "own_service_url")
    return url


@contextmanager
def serving(settings: Settings, app: FastAPI | None = None) -> Iterator[str]:
    """Serve over TCP in a thread while the block runs, and yield the URL."""
    with running_server(uvicorn_config(app or app_with_worker(settings), settings)) as (url, _):
        yield url


@contextmanager
def running_server(config: uvicorn.Config) -> Iterator[tuple[str, uvicorn.Server]]:
    """Run a server in a thread while the block runs, and yield its URL, too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", server
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def synchronous_account(settings: Settings) -> tuple[str, str]:
    """The SID and auth token of an account, for tests that are not coroutines."""

    async def make() -> tuple[str, str]:
        assert settings.database_url is not None
        database = Database(settings.database_url.get_secret_value(), pool_size=1)
        try:
            return await make_account(database)
        finally:
            await database.close()

    return asyncio.run(make())


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[Database]:
    pool = Database(database_url, pool_size=16)
    yield pool
    await pool.close()


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[FastAPI]:
    async with app.router.lifespan_context(app):
        yield app


def app_with_worker(settings: Settings) -> FastAPI:
    """Return an application that does in one process what `serve` does: with the job worker, unless it is turned off."""
    created = create_app(settings)
    serve_requests = created.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        worker = running_worker(settings) if settings.run_operations else nullcontext()
        async with serve_requests(app), worker:
            yield

    created.router.lifespan_context = lifespan
    return created


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


def url_of(server_url: str, database: str) -> str:
    return urlsplit(server_url)._replace(path=f"/{database}").geturl()


def database_copy(server_url: str, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    # Copying the files, which are few, is four times as fast as writing their pages to the log.
    asyncio.run(execute(server_url, f"create database {name} template {template} strategy file_copy"))
    yield url_of(server_url, name)
    asyncio.run(execute(server_url, f"drop database {name} with (force)"))


async def execute(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url)
    await connection.execute(statement)
    await connection.close()


async def _exists(server_url: str, database: str) -> bool:
    connection = await asyncpg.connect(server_url)
    found = await connection.fetchval("select true from pg_database where datname = $1", database)
    await connection.close()
    return bool(found)
