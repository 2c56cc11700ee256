"""On Citus, lookups of several stores at once are run store by store, since each store is on one node."""

import asyncio

import httpx
import pytest

from tests.conftest import look_up, make_profile, make_store


@pytest.mark.usefixtures("citus_urls")
async def test_concurrent_lookups_of_several_stores_are_answered(client: httpx.AsyncClient) -> None:
    stores = [await make_store(client, f"store-{number}") for number in range(6)]
    profiles = [[await make_profile(client, store, chat="c")] for store in stores]
    for _ in range(3):
        lookups = [look_up(client, store, "chat", "c") for store in stores * 5]
        assert await asyncio.gather(*lookups) == profiles * 5
