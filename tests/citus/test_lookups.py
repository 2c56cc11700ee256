"""On Citus, lookups go to the node of their store, and find what they would find through any other node."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import asyncpg
import httpx
import pytest

from profile_lookup.accounts.keys import remove_key
from profile_lookup.database.citus.places import Places
from profile_lookup.database.pool import Database
from profile_lookup.database.single_queries.busy_poll import BusyPoll
from profile_lookup.lookup.coalescing import Lookups
from tests.citus.distributed import distribute
from tests.citus.store_node import move_store
from tests.conftest import PATIENCE, look_up, make_profile, make_store
from tests.database.filled_store import FilledStore, fill_store

SESSIONS_ON_NODES = """
    from pg_stat_activity
    where datname = current_database() and application_name = 'profile-lookup' and query like '%identifier\\_%'
"""
ON_NODES = f"select sum(result::int) from run_command_on_all_nodes($$ select count(*) {SESSIONS_ON_NODES} $$)"
END_ON_NODES = f"select run_command_on_all_nodes($$ select count(pg_terminate_backend(pid)) {SESSIONS_ON_NODES} $$)"
SHARD = "select get_shard_id_for_distribution_column('identifier', $1::uuid)"
NOT_ON_WORKERS = "create access method on_coordinator type table handler heap_tableam_handler"


@pytest.fixture
async def citus_database(citus_urls: Sequence[str]) -> AsyncIterator[Database]:
    opened = Database(citus_urls[0], pool_size=4)
    yield opened
    await opened.close()


@pytest.fixture
async def stores(citus_database: Database) -> Sequence[FilledStore]:
    return [await fill_store(citus_database) for _ in range(6)]


@pytest.fixture
async def lookups(citus_urls: Sequence[str]) -> AsyncIterator[Lookups]:
    opened = Lookups(citus_urls[0], BusyPoll(has_processor_to_spare=True))
    yield opened
    await opened.close()


async def all_found(lookups: Lookups, stores: Sequence[FilledStore]) -> list[object]:
    """Look up ten people and a stranger in each store, all at the same time."""
    return await asyncio.gather(*[store.found(lookups, number) for number in range(11) for store in stores])


def all_expected(stores: Sequence[FilledStore]) -> list[object]:
    return [store.expected(number) for number in range(11) for store in stores]


async def reach_nodes(lookups: Lookups, stores: Sequence[FilledStore], coordinator: asyncpg.Connection) -> None:
    """Look up in each store until its node itself has run a lookup."""
    async with asyncio.timeout(PATIENCE):
        for store in stores:
            shard = await coordinator.fetchval(SHARD, store.store.id)
            on_its_node = ON_NODES.replace(" $$)", f" and query like '%identifier\\_{shard}%' $$)")
            while not await coordinator.fetchval(on_its_node):
                assert await store.found(lookups, 1) == store.expected(1)


async def test_lookups_of_all_stores_go_to_their_nodes(
    lookups: Lookups, stores: Sequence[FilledStore], nodes: Sequence[asyncpg.Connection]
) -> None:
    await reach_nodes(lookups, stores, nodes[0])
    for _ in range(3):
        assert await all_found(lookups, stores) == all_expected(stores)
        assert [await store.found(lookups, 3) for store in stores] == [store.expected(3) for store in stores]


async def test_a_revoked_key_is_refused_at_once(
    lookups: Lookups, stores: Sequence[FilledStore], citus_database: Database, nodes: Sequence[asyncpg.Connection]
) -> None:
    await reach_nodes(lookups, stores, nodes[0])
    async with citus_database.transaction() as connection:
        assert await remove_key(connection, stores[0].key.sid)
    first, *others = stores
    assert await asyncio.gather(*[first.found(lookups, 1) for _ in range(20)]) == [None] * 20
    assert await asyncio.gather(*[each.found(lookups, 1) for each in others]) == [each.expected(1) for each in others]


async def test_lookups_find_what_is_written_after_their_shard_has_moved(
    lookups: Lookups,
    stores: Sequence[FilledStore],
    citus_database: Database,
    nodes: Sequence[asyncpg.Connection],
    citus_urls: Sequence[str],
) -> None:
    await reach_nodes(lookups, stores, nodes[0])
    await move_store(nodes[0], stores[0].store.id)
    await distribute(citus_urls[0])  # or nothing could be written
    # The node keeps the rows that it had, until Citus removes them some time later.
    await stores[0].add(citus_database)
    assert await stores[0].found(lookups, 10) == stores[0].expected(10)
    await reach_nodes(lookups, stores[:1], nodes[0])
    await stores[0].add(citus_database)
    assert await stores[0].found(lookups, 11) == stores[0].expected(11)


async def test_lookups_are_answered_while_connections_to_nodes_are_lost(
    lookups: Lookups, stores: Sequence[FilledStore], nodes: Sequence[asyncpg.Connection]
) -> None:
    for _ in range(3):
        await reach_nodes(lookups, stores, nodes[0])
        running = asyncio.gather(*[all_found(lookups, stores) for _ in range(5)])
        await nodes[0].execute(END_ON_NODES)
        assert await running == [all_expected(stores)] * 5


async def test_lookups_are_answered_if_their_nodes_cannot_be_reached(
    citus_urls: Sequence[str],
    stores: Sequence[FilledStore],
    nodes: Sequence[asyncpg.Connection],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await nodes[0].execute("set citus.enable_ddl_propagation = off")
    await nodes[0].execute(NOT_ON_WORKERS)
    # The workers refuse a connection with this option.
    lookups = Lookups(
        f"{citus_urls[0]}?default_table_access_method=on_coordinator", BusyPoll(has_processor_to_spare=False)
    )
    async with asyncio.timeout(PATIENCE):
        while "cannot be reached" not in caplog.text:
            assert await all_found(lookups, stores) == all_expected(stores)
    assert await all_found(lookups, stores) == all_expected(stores)
    assert await nodes[0].fetchval(ON_NODES) == 0
    await lookups.close()


async def test_the_place_that_was_found_first_is_forgotten_when_there_are_too_many(citus_urls: Sequence[str]) -> None:
    places = Places(citus_urls[0], max_stores=2)
    store_ids = [uuid4() for _ in range(3)]
    async with asyncio.timeout(PATIENCE):
        for store_id in store_ids:
            while places.known(store_id) is None:
                await asyncio.sleep(0.01)
    assert [places.known(store_id) is None for store_id in store_ids] == [True, False, False]
    await places.close()


@pytest.mark.usefixtures("citus_urls")
async def test_concurrent_requests_for_several_stores_are_answered(client: httpx.AsyncClient) -> None:
    stores = [await make_store(client, f"store-{number}") for number in range(6)]
    profiles = [[await make_profile(client, store, chat="c")] for store in stores]
    for _ in range(3):
        found = [look_up(client, store, "chat", "c") for store in stores * 5]
        assert await asyncio.gather(*found) == profiles * 5
