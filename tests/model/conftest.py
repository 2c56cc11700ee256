"""A service without a limit on the number of stores, and the sizes of the model tests."""

import os
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from profile_lookup.settings import Settings, load_settings
from tests.conftest import BASE_URL
from tests.running_service import app_with_worker

STEPS = int(os.environ.get("MODEL_STEPS", "0"))
"""The number of random requests; 0 stands for the number that CI runs, which are the same each time."""

SECONDS = float(os.environ.get("MODEL_SECONDS", "0"))
"""How long the concurrent clients write; 0 stands for the time that CI takes."""


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return load_settings(database_url=database_url, data_dir=tmp_path, max_stores=1_000_000)


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    """An event loop in another thread, for tests that Hypothesis runs."""
    with start_blocking_portal() as started:
        yield started


@pytest.fixture
def caller(
    portal: BlockingPortal, settings: Settings, synchronous_account: tuple[str, str]
) -> Iterator[httpx.AsyncClient]:
    """The same as `client`, but in the portal's event loop."""
    app = app_with_worker(settings)

    @asynccontextmanager
    async def running():  # type: ignore[no-untyped-def]
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url=BASE_URL, auth=synchronous_account
            ) as opened,
        ):
            yield opened

    with portal.wrap_async_context_manager(running()) as opened:
        yield opened
