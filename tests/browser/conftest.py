"""A browser, and the data that it looks at."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from selenium.webdriver import Chrome

from tests.browser.chromium import PATIENCE, opened_browser
from tests.conftest import make_profile, make_store


@pytest.fixture
def browser() -> Iterator[Chrome]:
    with opened_browser() as opened:
        yield opened


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
