"""Large writes take turns: PostgreSQL's table of locks has room for all of them, and small writes do not wait."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.ingest.attempts import MAX_IDENTIFIERS
from profile_lookup.ingest.ingest import ingest
from profile_lookup.stores.rules_cache import StoreRules
from tests.citus.store_node import connected, node_of_store, on_all_nodes
from tests.database.stores import make_store

MAX_KEYS = 4096
"""Lock keys that all large writes together may hold. PostgreSQL's table has room for some 7,000 locks by default."""

_HELD = text(
    on_all_nodes("""
        select count(*) from pg_locks
        where locktype = 'advisory' and granted
            and database = (select oid from pg_database where datname = current_database())
    """)
)


def chats(name: str, number: int) -> Change:
    return Change(tuple(NormalizedIdentifier("chat", NormalizedValue(f"{name} {each}")) for each in range(number)))


async def write(database: Database, store: StoreRules, name: str, number: int) -> None:
    await ingest(database, store, lambda _: chats(name, number), datetime.now(UTC))


@pytest.mark.parametrize("number", [100, 700, 1400])
async def test_concurrent_large_writes_hold_a_bounded_number_of_keys(database: Database, number: int) -> None:
    store = await make_store(database, DEFAULT_SETTINGS)
    writes = [asyncio.create_task(write(database, store, f"client {each}", number)) for each in range(12)]
    most = 0
    async with database.statements() as connection:
        while not all(each.done() for each in writes):
            most = max(most, (await connection.execute(_HELD)).scalar_one())
    await asyncio.gather(*writes)
    assert number <= most <= MAX_KEYS


async def test_a_small_write_does_not_wait_for_large_ones(database: Database, database_url: str) -> None:
    store, other_store = await make_store(database, DEFAULT_SETTINGS), await make_store(database, DEFAULT_SETTINGS)
    async with connected(await node_of_store(database_url, store.id)) as connection, connection.transaction():
        for size, turns in ((128, 8), (768, 2), (MAX_IDENTIFIERS, 1)):
            for turn in range(1, turns + 1):
                await connection.execute("select pg_advisory_xact_lock($1, $2)", size, turn)
        large = [asyncio.create_task(write(database, store, f"large {number}", number)) for number in (65, 129, 769)]
        await write(database, other_store, "small", 64)
        assert not any(each.done() for each in large)
    await asyncio.gather(*large)
