"""Requests that wait for the first event of a feed."""

import asyncio
from contextlib import suppress

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.history.feed import advance_feed
from profile_lookup.history.feed_waits import FeedWaits
from profile_lookup.settings import Settings
from profile_lookup.web import ids
from tests.conftest import PATIENCE, make_profile
from tests.history.feeds import Json, read_page


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A service with two connections for all requests."""
    return settings.model_copy(update={"pool_size": 2})


async def _begin_to_wait(app: FastAPI, requests: int) -> None:
    """Return when so many requests wait for the feed of a store."""
    waits: FeedWaits = app.state.services.feed_waits
    async with asyncio.timeout(PATIENCE):
        while waits.waiting != requests:
            await asyncio.sleep(0.01)


async def test_a_request_that_waits_gets_the_first_event(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    empty = await read_page(client, store_id)
    waiting = asyncio.create_task(read_page(client, store_id, empty["meta"]["nextToken"], wait=20))
    await _begin_to_wait(app, 1)
    ann = await make_profile(client, store_id, email="ann@example.com")
    page = await waiting
    assert [each["profileId"] for each in page["events"]] == [ann]


async def test_a_request_does_not_wait_if_there_are_events(client: httpx.AsyncClient, store_id: str) -> None:
    await make_profile(client, store_id, email="ann@example.com")
    page = await read_page(client, store_id, wait=20)
    assert len(page["events"]) == 1


async def test_a_request_that_has_waited_in_vain_gets_an_empty_page(client: httpx.AsyncClient, store_id: str) -> None:
    empty = await read_page(client, store_id)
    assert await read_page(client, store_id, empty["meta"]["nextToken"], wait=1) == empty


async def test_those_who_wait_keep_nobody_out_and_share_one_poll(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    """More requests wait than the service has connections, and than may be under way."""
    waiting = []
    for number in range(40):
        waiting.append(asyncio.create_task(read_page(client, store_id, wait=20)))
        await _begin_to_wait(app, number + 1)
    assert app.state.services.feed_waits.polls == 1
    ann = await make_profile(client, store_id, email="ann@example.com")
    pages: list[Json] = await asyncio.gather(*waiting)
    assert {each["events"][0]["profileId"] for each in pages} == {ann}


async def test_nothing_is_polled_while_nobody_waits(app: FastAPI, client: httpx.AsyncClient, store_id: str) -> None:
    waiting = asyncio.create_task(read_page(client, store_id, wait=20))
    await _begin_to_wait(app, 1)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(PATIENCE):
        while app.state.services.feed_waits.polls:
            await asyncio.sleep(0.01)


async def test_nobody_waits_any_longer_when_the_process_stops(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    empty = await read_page(client, store_id)
    uuid = ids.decoded(store_id)
    assert uuid is not None
    services = app.state.services
    known_end = await advance_feed(services.database, uuid)
    hour = asyncio.create_task(services.feed_waits.wait(uuid, known_end, 3600))
    waiting = asyncio.create_task(read_page(client, store_id, empty["meta"]["nextToken"], wait=20))
    await _begin_to_wait(app, 2)
    services.ending.set()
    async with asyncio.timeout(PATIENCE):
        await hour
    assert await waiting == empty


async def test_who_loses_access_while_waiting_gets_no_events(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    key = (await client.post("/v1/ControlPlane/Keys", json={"name": "k", "scopes": ["read"]})).json()
    waiting = asyncio.create_task(client.get(f"/v1/Stores/{store_id}/Events?wait=20", auth=(key["sid"], key["secret"])))
    await _begin_to_wait(app, 1)
    await client.delete(f"/v1/ControlPlane/Keys/{key['sid']}")
    await make_profile(client, store_id, email="ann@example.com")
    assert (await waiting).status_code == 401
