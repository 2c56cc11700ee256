"""The node that has a store, for tests that lock or write beside the service, or move the store to another node."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from profile_lookup.database.citus.event_numbers import event_numbers_of
from profile_lookup.database.citus.placement import DISTRIBUTED
from tests.citus.distributed import CITUS_URL, url_of

_NODE = """
    select nodename, nodeport from pg_dist_placement join pg_dist_node using (groupid)
    where noderole = 'primary' and shardid = get_shard_id_for_distribution_column('profile', cast($1 as uuid))
"""
_MOVE = """
    select citus_move_shard_placement(
        placed.shardid, placed.nodename, placed.nodeport, other.nodename, other.nodeport, 'block_writes'
    )
    from citus_shards placed
    join pg_dist_node other on other.shouldhaveshards and other.nodeport <> placed.nodeport
    where placed.shardid = get_shard_id_for_distribution_column('profile', cast($1 as uuid))
"""
_SHARD = """
    select get_shard_id_for_distribution_column(cast(cast($1 as text) as regclass), cast($2 as uuid))
"""


def on_all_nodes(count: str) -> str:
    """Return the query of a count. With `TEST_CITUS_URL`, it returns the sum of what all nodes count."""
    if CITUS_URL not in os.environ:
        return count
    return f"select sum(cast(result as integer)) from run_command_on_all_nodes($count$ {count} $count$)"


async def node_of_store(database_url: str, store_id: UUID) -> str:
    """Return the URL by which the store's rows are reached without a detour over another node."""
    if CITUS_URL not in os.environ:
        return database_url
    async with connected(database_url) as connection:
        (node,) = await connection.fetch(_NODE, store_id)
    return url_of(database_url, *node)


async def event_numbers_of_store(database_url: str, store_id: UUID) -> str:
    """Return the name of the sequence that the numbers of the store's events come from, on the store's node."""
    if CITUS_URL not in os.environ:
        return "event_number"
    async with connected(database_url) as connection:
        return event_numbers_of(await connection.fetchval(_SHARD, DISTRIBUTED[0], store_id))


@asynccontextmanager
async def locked_for_store(database_url: str, table: str, store_id: UUID) -> AsyncIterator[None]:
    """Let nobody write to the table, or to the shard that has the store's rows, while the block runs."""
    async with connected(await node_of_store(database_url, store_id)) as connection, connection.transaction():
        if CITUS_URL in os.environ:
            table = f"{table}_{await connection.fetchval(_SHARD, table, store_id)}"
        await connection.execute("set local citus.enable_manual_changes_to_shards = on")
        await connection.execute(f"lock table {table} in share mode")
        yield


async def move_store(coordinator: asyncpg.Connection, store_id: UUID) -> None:
    """Move the shards that have the store's rows to the other worker."""
    await coordinator.execute(_MOVE, store_id)


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()
