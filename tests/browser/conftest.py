"""A browser that can reach only this machine, and the data that it looks at."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from tests.conftest import make_profile, make_store

PATIENCE = 30  # seconds; long, because the machine may be busy

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # root cannot start the sandbox
    "--window-size=1280,1000",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    # No requests that a browser makes by itself:
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture
def browser() -> Iterator[Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        reason = "needs Chromium: apt-get install chromium chromium-driver"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="profile-lookup-browser-", ignore_cleanup_errors=True) as home:
        options = ChromeOptions()
        options.binary_location = chromium
        for flag in (*FLAGS, f"--user-data-dir={home}/profile"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        opened = Chrome(options, Service(driver, env={**os.environ, "HOME": home}))
        try:
            opened.set_page_load_timeout(PATIENCE)
            yield opened
        finally:
            opened.quit()


@dataclass(frozen=True)
class Customer:
    """The profile that the Lookup example of the docs page names, and its store."""

    store_id: str
    profile_id: str


@pytest.fixture
def customer(service_url: str, synchronous_account: tuple[str, str]) -> Customer:
    async def make() -> Customer:
        async with httpx.AsyncClient(base_url=service_url, auth=synchronous_account, timeout=PATIENCE) as client:
            store_id = await make_store(client)
            return Customer(store_id, await make_profile(client, store_id, phone="+13175556789"))

    return asyncio.run(make())
