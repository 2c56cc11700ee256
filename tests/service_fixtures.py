"""The fixtures of a database and of the service upon it, which tests share if they leave both as they are."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

import pytest
from fastapi import FastAPI

from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings, load_settings
from tests.citus.distributed import CITUS_URL, distributed_copy, distributed_template
from tests.databases import TEMPLATE, database_copy
from tests.reused_database import ReusedDatabase
from tests.running_service import app_with_worker, serving

_TURN = count()


@pytest.fixture(scope="session")
def citus_template() -> Iterator[str]:
    with distributed_template() as name:
        yield name


@pytest.fixture
def citus_urls(citus_template: str) -> Iterator[list[str]]:
    """The URLs, one for each node, of a database that is distributed over these, and that only this test uses."""
    with distributed_copy(citus_template) as urls:
        yield urls


@pytest.fixture(scope="session")
def reused_database(request: pytest.FixtureRequest) -> Iterator[ReusedDatabase]:
    with ExitStack() as stack:
        if CITUS_URL in os.environ:
            urls = stack.enter_context(distributed_copy(request.getfixturevalue("citus_template")))
        else:
            copying = contextmanager(database_copy)(request.getfixturevalue("server_url"), TEMPLATE)
            urls = [stack.enter_context(copying)]
        yield stack.enter_context(ReusedDatabase.opened(urls))


@pytest.fixture(scope="module")
def reused_url(reused_database: ReusedDatabase) -> str:
    """The URL of the reused database. With `TEST_CITUS_URL`, the modules use its nodes by turns."""
    return reused_database.urls[next(_TURN) % len(reused_database.urls)]


@pytest.fixture
def own_database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a migrated database that only this test uses, and that is dropped after it.

    With `TEST_CITUS_URL`, it is one of `citus_urls` by turns.
    """
    if CITUS_URL in os.environ:
        urls = request.getfixturevalue("citus_urls")
        changes_schema = request.node.get_closest_marker("changes_schema")
        yield urls[0 if changes_schema else next(_TURN) % len(urls)]
    else:
        yield from database_copy(request.getfixturevalue("server_url"), TEMPLATE)


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
    yield request.getfixturevalue("reused_url")
    if not reused.is_empty:
        reused.empty()


@pytest.fixture
async def emptied_beside_app(reused_database: ReusedDatabase) -> AsyncIterator[None]:
    """Empty the database while the loop of the shared application runs, whose worker may hold locks."""
    yield
    await asyncio.to_thread(reused_database.empty)


@pytest.fixture(scope="module")
async def shared_pool(reused_url: str) -> AsyncIterator[Database]:
    async with opened(reused_url) as pool:
        yield pool


@pytest.fixture
async def own_pool(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as pool:
        yield pool


@pytest.fixture
def database(request: pytest.FixtureRequest, database_url: str, reused_url: str) -> Database:
    if database_url == reused_url:
        pool: Database = request.getfixturevalue("shared_pool")
        request.getfixturevalue("emptied_beside_app")
    else:
        pool = request.getfixturevalue("own_pool")
    return pool


@pytest.fixture(scope="module")
def shared_settings(reused_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(database_url=reused_url, data_dir=tmp_path_factory.mktemp("data"))


@pytest.fixture
def settings(database_url: str, tmp_path: Path, reused_url: str, shared_settings: Settings) -> Settings:
    is_reused = database_url == reused_url
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
        request.getfixturevalue("emptied_beside_app")
    else:
        started = request.getfixturevalue("own_app")
    return started


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


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[Database]:
    pool = Database(database_url, pool_size=16)
    yield pool
    await pool.close()


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[FastAPI]:
    async with app.router.lifespan_context(app):
        yield app
