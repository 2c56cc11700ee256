"""The feed while 16 writers commit in another order than they drew their numbers."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.event_rows import EVENT_COLUMNS, event_row
from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.identity.history.event import Event
from profile_lookup.settings import Settings
from profile_lookup.web import ids
from tests.citus.store_node import event_numbers_of_store, node_of_store
from tests.conftest import make_profile
from tests.history.feeds import Json, all_events, read_page

CHAINS = 6
INSERT = f"""
    insert into event (number, store_id, {", ".join(EVENT_COLUMNS)})
    values (
        nextval(cast(cast($1 as text) as regclass)), $2,
        {", ".join(f"${number}" for number in range(3, 3 + len(EVENT_COLUMNS)))}
    )
"""

IsOver = Callable[[], bool]


class Chains:
    """Events each of which depends on the one before in its chain, and some on those of several chains.

    Whoever adds to a chain holds its lock until it commits, as writes hold those of profiles.
    """

    def __init__(self, database_url: str, store_id: UUID, event_numbers: str) -> None:
        """`event_numbers` is the sequence from which the store's writes draw."""
        self._database_url = database_url
        self._event_numbers = event_numbers
        self._store_id = store_id
        self._profile_ids = [new_id() for _ in range(CHAINS)]
        self._lengths = [0] * CHAINS

    async def write(self, seed: int, is_over: IsOver) -> None:
        dice = random.Random(seed)
        connection = await asyncpg.connect(self._database_url)
        while not is_over():
            with suppress(_RolledBack):
                await self._add(connection, dice)
        await connection.close()

    async def _add(self, connection: asyncpg.Connection, dice: random.Random) -> None:
        chains = sorted(dice.sample(range(CHAINS), dice.choice([1, 1, 1, 2])))
        async with connection.transaction():
            for chain in chains:
                await connection.execute("select pg_advisory_xact_lock($1)", chain)
            await connection.execute("select pg_current_xact_id()")
            if dice.random() < 0.1:
                await asyncio.sleep(0.05)
            links = [(chain, self._lengths[chain] + 1) for chain in chains]
            rule = ",".join(f"{chain}:{place}" for chain, place in links)
            event = Event(new_id(), "renormalized", datetime.now(UTC), self._profile_ids[chains[0]], rule=rule)
            await connection.execute(INSERT, self._event_numbers, self._store_id, *event_row(self._store_id, event))
            await asyncio.sleep(dice.choice([0, 0, 0, 0.002, 0.02, 0.4]))  # it has drawn a number, and is late
            if dice.random() < 0.05:
                raise _RolledBack
            for chain, place in links:
                self._lengths[chain] = place

    def assert_in_order(self, events: list[Json]) -> None:
        read = [0] * CHAINS
        for event in events:
            if event["kind"] == "renormalized":
                for link in event["rule"].split(","):
                    chain, place = map(int, link.split(":"))
                    assert place == read[chain] + 1
                    read[chain] = place
        assert read == self._lengths


class _RolledBack(Exception):
    pass


async def _write_profiles(client: httpx.AsyncClient, store_id: str, seed: int, is_over: IsOver) -> None:
    """Create, update and merge few people, over and over, and then others."""
    dice = random.Random(seed)
    count = 0
    while not is_over():
        count += 1
        people = count // 20
        contact = {
            "email": f"{dice.randrange(10)}@{people}.example.com",
            "phone": f"+13175{people % 1000:03}{dice.randrange(10):03}",
        }
        for name in dice.sample([*contact], dice.choice([0, 1, 1])):
            del contact[name]
        await make_profile(client, store_id, **contact, city=f"{seed}-{count}")


async def _read(client: httpx.AsyncClient, store_id: str, is_over: IsOver, pause: float, **query: int) -> list[Json]:
    """Follow the feed until the writers have ended and nothing is left."""
    events: list[Json] = []
    after = None
    while True:
        was_over = is_over()
        page = await read_page(client, store_id, after, **query)
        events += page["events"]
        after = page["meta"]["nextToken"]
        if was_over and not page["events"]:
            return events
        await asyncio.sleep(0 if was_over else pause)


async def _profile_ids(client: httpx.AsyncClient, store_id: str) -> list[str]:
    found: list[str] = []
    token = ""
    while True:
        query = {"pageSize": 1000} | ({"pageToken": token} if token else {})
        page = (await client.get(f"/v1/Stores/{store_id}/Profiles", params=query)).json()
        found += page["profiles"]
        if "nextToken" not in page["meta"]:
            return found
        token = page["meta"]["nextToken"]


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.slow)])
async def test_readers_get_each_event_once_and_none_before_one_that_it_depends_on(
    client: httpx.AsyncClient, store_id: str, settings: Settings, database: Database, seconds: int
) -> None:
    assert settings.database_url is not None
    uuid = ids.decoded(store_id)
    assert uuid is not None
    # Their locks and the numbers of their events must be those of the node that has the store.
    node = await node_of_store(settings.database_url.get_secret_value(), uuid)
    chains = Chains(node, uuid, await event_numbers_of_store(node, uuid))
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    writing = asyncio.gather(
        *(chains.write(seed, lambda: clock() >= end) for seed in range(8)),
        *(_write_profiles(client, store_id, seed, lambda: clock() >= end) for seed in range(8)),
    )
    slow, quick, _ = await asyncio.gather(
        _read(client, store_id, writing.done, 0.05, pageSize=7),
        _read(client, store_id, writing.done, 0, pageSize=100, wait=1),
        writing,
    )
    assert slow == quick == [event async for event in all_events(client, store_id, page_size=33)]
    assert len({event["id"] for event in slow}) == len(slow)
    chains.assert_in_order(slow)
    places = {event["id"]: place for place, event in enumerate(slow)}
    missed = places.keys() - {event["id"] for event in slow if event["kind"] == "renormalized"}
    for profile_id in await _profile_ids(client, store_id):
        path = f"/v1/Stores/{store_id}/Profiles/{profile_id}/Events?orderBy=ASC&pageSize=1000"
        of_profile = [event["id"] for event in (await client.get(path)).json()["events"]]
        assert sorted(of_profile, key=places.__getitem__) == of_profile
        missed -= set(of_profile)
    assert not missed
    async with database.statements() as connection:
        assert (await connection.execute(text("select count(*) from event_batch where late <> '{}'"))).scalar_one()
