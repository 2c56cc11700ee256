"""How the schema is distributed over the nodes of Citus, by store: see docs/scaling.md."""

from collections.abc import AsyncIterator

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.citus.event_numbers import create_sequences
from profile_lookup.database.citus.functions import create_functions
from profile_lookup.database.citus.placement import DISTRIBUTED, LOCAL, REFERENCE
from profile_lookup.errors import OperatorError


async def distribute(connection: AsyncConnection) -> AsyncIterator[str]:
    """Distribute the tables that are not distributed yet, and yield a sentence about each step.

    `connection` runs each statement alone, as a superuser on the coordinator. Raises `CitusMissing` or `NodeRefused`.
    Whoever runs this again after a failure, or after a migration has added a table, finishes what is left.
    """
    if not await connection.scalar(_HAS_CITUS):
        raise CitusMissing
    for setting in _SETTINGS:
        await connection.execute(text(f"set {setting}"))
    async for step in _place_tables(connection):
        yield step
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, asyncpg.Connection)
    await create_sequences(driver)
    await create_functions(driver)
    yield "The locks of a store are taken on its node, and its writes run there."
    if await connection.scalar(_DETECTS_DEADLOCKS):
        yield DETECTION_ADVICE


async def _place_tables(connection: AsyncConnection) -> AsyncIterator[str]:
    placed = set((await connection.execute(_PLACED)).scalars())
    for table in REFERENCE:
        if table not in placed:
            await connection.execute(_REFER, {"name": table})
            yield f"Each node has a copy of {table}."
    for table in DISTRIBUTED:
        if table not in placed:
            beside = {} if table == DISTRIBUTED[0] else {"beside": DISTRIBUTED[0]}
            await connection.execute(_DISTRIBUTE_BESIDE if beside else _DISTRIBUTE, {"name": table, **beside})
            yield f"{table} is distributed by store."
    for table in LOCAL:
        # The tables that refer to an account came into the metadata with that.
        if table not in set((await connection.execute(_PLACED)).scalars()):
            await connection.execute(_KEEP_LOCAL, {"name": table})
        if table not in placed:
            yield f"{table} stays on the coordinator."


class CitusMissing(OperatorError):
    def __init__(self) -> None:
        super().__init__(
            "The database has no extension citus. Run `create extension citus` in it on all nodes, and add the workers "
            "by `citus_add_node` on the coordinator: docs/scaling.md"
        )


DETECTION_ADVICE = (
    "A node detects deadlocks where there are none: set citus.distributed_deadlock_detection_factor = -1 on all nodes: "
    "docs/scaling.md"
)

_SETTINGS = (
    "client_min_messages = warning",
    "statement_timeout = 0",
    # The triggers on identifiers touch rows of the same store alone, which are on the same node.
    "citus.enable_unsafe_triggers = on",
)

_HAS_CITUS = text("select exists (select from pg_extension where extname = 'citus')")
_PLACED = text("select cast(cast(logicalrelid as regclass) as text) from pg_dist_partition")
_REFER = text("select create_reference_table(cast(cast(:name as text) as regclass))")
_DISTRIBUTE = text("select create_distributed_table(cast(cast(:name as text) as regclass), 'store_id')")
_DISTRIBUTE_BESIDE = text("""
    select create_distributed_table(cast(cast(:name as text) as regclass), 'store_id', colocate_with => :beside)
""")
_KEEP_LOCAL = text("select citus_add_local_table_to_metadata(cast(cast(:name as text) as regclass))")
_DETECTS_DEADLOCKS = text("""
    select bool_or(result <> '-1') from run_command_on_all_nodes('show citus.distributed_deadlock_detection_factor')
""")
