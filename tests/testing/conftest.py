"""Servers for tests, as `serve --ephemeral` starts them."""

import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from profile_lookup.app import create_app
from profile_lookup.serving.processes import uvicorn_config
from profile_lookup.settings import Settings, load_settings
from profile_lookup.testing.double import Double
from tests.conftest import BASE_URL
from tests.contract.conforming import ConformingTransport

STORE_ID = "mem_store_01h00000000000000000000001"
FIRST_ID = "mem_profile_01h00000000000000000000001"
SECOND_ID = "mem_profile_01h00000000000000000000002"

OpenDouble = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def database_url(own_database_url: str) -> str:
    """The URL of a new database, because a server for tests adds a schema with a clock."""
    return own_database_url


@pytest.fixture
def ephemeral(database_url: str, tmp_path: Path) -> Settings:
    return load_settings(database_url=database_url, data_dir=tmp_path, ephemeral=True, ephemeral_store_id=STORE_ID)


@pytest.fixture
def open_double(database_url: str, tmp_path: Path) -> OpenDouble:
    """A function that starts a server for tests with these settings, and yields a client with its credentials."""

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(load_settings(database_url=database_url, data_dir=tmp_path, ephemeral=True, **settings))
        async with app.router.lifespan_context(app):
            transport = ConformingTransport(app)
            async with httpx.AsyncClient(
                transport=transport, base_url=BASE_URL, auth=auth_of(app.state.double)
            ) as client:
                yield client

    return opened


@pytest.fixture
async def client(open_double: OpenDouble) -> AsyncIterator[httpx.AsyncClient]:
    async with open_double(ephemeral_store_id=STORE_ID) as opened:
        yield opened


@pytest.fixture
def tcp_client(ephemeral: Settings) -> Iterator[httpx.Client]:
    """A client that calls a server for tests over TCP."""
    app = create_app(ephemeral)
    with _serving(app) as url, httpx.Client(base_url=url, auth=auth_of(app.state.double)) as opened:
        yield opened


def auth_of(double: Double) -> tuple[str, str]:
    access = double.for_client("")
    return access["apiKey"], access["apiSecret"]


@contextmanager
def _serving(app: Any) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn_config(app, load_settings()))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        httpx.get(f"{url}/readyz", timeout=60)
        yield url
        server.should_exit = True
        thread.join()
