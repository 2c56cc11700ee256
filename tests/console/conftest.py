"""A service and a browser for all tests of a module, because both take a second to start.

Tests of a module share the store, so each makes people of its own.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from selenium.webdriver import Chrome

from profile_lookup.console.cookies import SESSION
from profile_lookup.settings import Settings, load_settings
from tests.browser.chromium import opened_browser
from tests.conftest import make_store, new_account
from tests.console.browser import Console
from tests.console.visitors import sign_in
from tests.databases import TEMPLATE, database_copy
from tests.npm_packages import installed_packages
from tests.running_service import serving

STORE_NAME = "customers"


@pytest.fixture(scope="session")
def axe() -> Path:
    """The script of axe-core, which checks the accessibility of a page."""
    return installed_packages(Path(__file__).parent / "axe") / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def console_settings(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with contextmanager(database_copy)(server_url, TEMPLATE) as url:
        yield load_settings(database_url=url, data_dir=tmp_path_factory.mktemp("console"))


@pytest.fixture(scope="module")
def console_url(console_settings: Settings) -> Iterator[str]:
    with serving(console_settings) as url:
        yield url


@pytest.fixture(scope="module")
def console_account(console_settings: Settings) -> tuple[str, str]:
    return asyncio.run(new_account(console_settings))


@pytest.fixture(scope="module")
def console_store(console_url: str, console_account: tuple[str, str]) -> str:
    async def make() -> str:
        async with httpx.AsyncClient(base_url=console_url, auth=console_account) as client:
            return await make_store(client, STORE_NAME)

    return asyncio.run(make())


@pytest.fixture(scope="module")
def console_browser() -> Iterator[Chrome]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def console_session(console_url: str, console_account: tuple[str, str]) -> str:
    """The cookie of somebody who is signed in with the account's own credentials."""
    with httpx.Client(base_url=console_url) as visitor:
        return sign_in(visitor, *console_account).cookies[SESSION]


@pytest.fixture
def console(
    console_browser: Chrome,
    console_url: str,
    console_account: tuple[str, str],
    console_store: str,
    console_session: str,
    axe: Path,
) -> Iterator[Console]:
    """The console of a service with one store, in a browser that is signed in with the account's own credentials.

    A test begins with `console.open_in_store(…)`. Afterwards, nothing may be wrong with a script or the content security policy.
    """
    opened = Console(console_browser, console_url, console_account, console_store, axe)
    opened.use_cookie(SESSION, console_session)
    yield opened
    opened.allow_scripts(allowed=True)
    opened.widen()
    opened.prefer("light")
    opened.api.close()
    assert opened.errors() == []
