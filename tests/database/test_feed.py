"""A feed that begins long after its store's events, and one in a database that was restored elsewhere."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.history.feed import MOST_UNSETTLED, advance_feed
from profile_lookup.history.feed_order import Position
from profile_lookup.history.feed_pages import BATCHES_AT_ONCE, page_after
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.stores.rules_lock import store_key
from tests.database.stores import make_store

pytestmark = pytest.mark.plain_postgresql("it inserts events by itself, and the functions of nodes draw other numbers")

_INSERT = text("""
    insert into event (store_id, id, kind, happened_at, document)
    select :store_id, gen_random_uuid(), 'split', now(), '{"i": []}' from generate_series(1, :count)
""")


async def _numbers_in_feed(database: Database, store_id: UUID, size: int) -> list[int]:
    numbers: list[int] = []
    position = Position(1, 0)
    while True:
        async with database.snapshot() as connection:
            page = await page_after(connection, store_id, position, size)
        numbers += [each.number for each in page.positions]
        position = page.end
        if page.is_last:
            return numbers


async def _insert(database: Database, store_id: UUID, count: int) -> None:
    async with database.transaction() as connection:
        await connection.execute(_INSERT, {"store_id": store_id, "count": count})


@pytest.fixture
async def store_id(database: Database) -> UUID:
    return (await make_store(database, DEFAULT_SETTINGS)).id


async def test_a_feed_begins_with_all_events_that_happened_before_anybody_read_it(
    database: Database, store_id: UUID
) -> None:
    await _insert(database, store_id, 3 * MOST_UNSETTLED)
    await advance_feed(database, store_id)
    assert len(await _numbers_in_feed(database, store_id, 1000)) == MOST_UNSETTLED
    await advance_feed(database, store_id)  # by now all of them are settled
    numbers = await _numbers_in_feed(database, store_id, 1000)
    assert numbers == sorted(numbers)
    assert len(numbers) == 3 * MOST_UNSETTLED
    async with database.statements() as connection:
        assert (await connection.execute(text("select unsettled from event_feed"))).scalar_one() == []


async def test_several_readers_may_begin_a_feed_at_once(database: Database, store_id: UUID) -> None:
    await _insert(database, store_id, 3)
    ends = await asyncio.gather(*(advance_feed(database, store_id) for _ in range(8)))
    assert {end.batch for end in ends if end is not None} == {1}
    assert await _numbers_in_feed(database, store_id, 50) == [1, 2, 3]


async def test_a_late_event_comes_after_all_that_were_in_the_feed_before(database: Database, store_id: UUID) -> None:
    async with database.transaction() as late:
        await late.execute(_INSERT, {"store_id": store_id, "count": 2})
        await _insert(database, store_id, 2)
        await advance_feed(database, store_id)
        await _insert(database, store_id, 1)
        await advance_feed(database, store_id)
        assert await _numbers_in_feed(database, store_id, 1) == [3, 4, 5]
    assert await _numbers_in_feed(database, store_id, 1) == [3, 4, 5]  # it is committed, and not in the feed yet
    await _insert(database, store_id, 1)
    await advance_feed(database, store_id)
    for size in (1, 2, 50):
        assert await _numbers_in_feed(database, store_id, size) == [3, 4, 5, 1, 2, 6]


async def test_pages_go_on_through_more_batches_than_are_read_at_once(database: Database, store_id: UUID) -> None:
    await advance_feed(database, store_id)
    rounds = range(BATCHES_AT_ONCE + 20)
    for _ in rounds:
        async with database.transaction() as late:
            await late.execute(_INSERT, {"store_id": store_id, "count": 1})
            await _insert(database, store_id, 1)
            await advance_feed(database, store_id)
        await advance_feed(database, store_id)
    expected = [number for each in rounds for number in (2 * each + 2, 2 * each + 1)]
    for size in (3, 1000):
        assert await _numbers_in_feed(database, store_id, size) == expected


async def test_a_database_that_was_restored_elsewhere_goes_on(database: Database, store_id: UUID) -> None:
    await _insert(database, store_id, 1)
    await advance_feed(database, store_id)
    async with database.statements() as connection:
        await connection.execute(text("update event_feed set mark_transaction = mark_transaction + 1000000000"))
    await _insert(database, store_id, 1)
    await advance_feed(database, store_id)
    async with database.statements() as connection:
        assert (await connection.execute(text("select settled from event_feed"))).scalar_one() == 1
    assert await _numbers_in_feed(database, store_id, 50) == [1, 2]


async def test_a_long_transaction_elsewhere_does_not_stall_the_feed(database: Database, store_id: UUID) -> None:
    await advance_feed(database, store_id)
    async with database.transaction() as elsewhere:
        await elsewhere.execute(text("select pg_current_xact_id()"))
        for _ in range(3):
            await _insert(database, store_id, MOST_UNSETTLED)
            await advance_feed(database, store_id)
            await advance_feed(database, store_id)
        assert len(await _numbers_in_feed(database, store_id, 1000)) == 3 * MOST_UNSETTLED


async def test_a_long_write_to_the_store_stalls_the_feed_until_it_ends(database: Database, store_id: UUID) -> None:
    await advance_feed(database, store_id)
    async with database.transaction() as late:
        await late.execute(text("select pg_advisory_xact_lock_shared(:key)"), {"key": store_key(store_id)})
        await late.execute(_INSERT, {"store_id": store_id, "count": 1})
        for _ in range(3):
            await _insert(database, store_id, MOST_UNSETTLED)
            await advance_feed(database, store_id)
        assert len(await _numbers_in_feed(database, store_id, 1000)) == MOST_UNSETTLED
    for _ in range(3):
        await advance_feed(database, store_id)
    numbers = await _numbers_in_feed(database, store_id, 1000)
    assert sorted(numbers) == [*range(1, 3 * MOST_UNSETTLED + 2)]
    assert numbers[MOST_UNSETTLED] == 1
