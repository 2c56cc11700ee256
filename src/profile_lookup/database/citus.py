"""How the schema is distributed over the nodes of Citus, by store: see docs/scaling.md."""

import re
from collections.abc import AsyncIterator
from importlib.resources import files

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.errors import OperatorError

REFERENCE = ("account", "credential", "store", "trait_group", "signing_key", "alembic_version")
"""Tables that each node has a copy of. A change of one is made on all nodes."""

DISTRIBUTED = (
    "profile",
    "alias",
    "identifier",
    "event",
    "separation",
    "suspect",
    "history_end",
    "event_feed",
    "event_batch",
)
"""Tables of which each node has the rows of some stores. The rows of a store are together on one node."""

LOCAL = (
    "operation",
    "operation_turn",
    "operation_item",
    "operation_piece",
    "preview_form",
    "preview_result",
    "undo_result",
    "split_part",
    "profile_import",
    "import_refusals",
)
"""Tables that the coordinator has alone: the queue of operations, and imports."""

_IS_THE_STORE = re.compile(r"store_id is not distinct from", re.IGNORECASE)


def routable(statement: str) -> str:
    """Return the statement as Citus must get it, so that it runs on the node of its store.

    PostgreSQL does not use an index for `is not distinct from`, and so the statements compare stores like that where no
    index must be searched by the store alone. Citus looks for an equality to find the node.
    """
    return _IS_THE_STORE.sub("store_id =", statement)


async def distribute(connection: AsyncConnection) -> AsyncIterator[str]:
    """Distribute the tables that are not distributed yet, and yield a sentence about each step.

    `connection` runs each statement alone, as a superuser on the coordinator. Raises `CitusMissing`. Whoever runs this
    again after a failure, or after a migration has added a table, finishes what is left.
    """
    if not await connection.scalar(_HAS_CITUS):
        raise CitusMissing
    for setting in _SETTINGS:
        await connection.execute(text(f"set {setting}"))
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
    await _delegate_locks(connection)
    yield "The locks of writes are taken on the node of their store."


async def _delegate_locks(connection: AsyncConnection) -> None:
    """Let each call of `lock_and_gather` run on the node of its store, where all calls meet the same locks."""
    functions = (files("profile_lookup.database") / "identity_locks.sql").read_text()
    driver = await connection.get_raw_connection()
    assert driver.driver_connection is not None
    await driver.driver_connection.execute(routable(functions).replace("create function", "create or replace function"))
    for signature in _CALLED_BY_LOCKS:
        await connection.execute(_COPY_FUNCTION, {"signature": signature})
    await connection.execute(_DELEGATE, {"signature": _LOCK_AND_GATHER})


class CitusMissing(OperatorError):
    def __init__(self) -> None:
        super().__init__(
            "The database has no extension citus. Run `create extension citus` in it on all nodes, and add the workers "
            "by `citus_add_node` on the coordinator: docs/scaling.md"
        )


_SETTINGS = (
    "client_min_messages = warning",
    "statement_timeout = 0",
    # The triggers on identifiers touch rows of the same store alone, which are on the same node.
    "citus.enable_unsafe_triggers = on",
)

_LOCK_AND_GATHER = "lock_and_gather(uuid, bigint, bigint, bigint[], text[], text[], uuid, text[], text[], integer[])"
_CALLED_BY_LOCKS = (
    "deciding_holders(uuid, text[], text[], uuid, text[], text[], integer[])",
    "take_turn(integer)",
    "separations_of(uuid, uuid)",
)

_HAS_CITUS = text("select exists (select from pg_extension where extname = 'citus')")
_PLACED = text("select cast(cast(logicalrelid as regclass) as text) from pg_dist_partition")
_REFER = text("select create_reference_table(cast(cast(:name as text) as regclass))")
_DISTRIBUTE = text("select create_distributed_table(cast(cast(:name as text) as regclass), 'store_id')")
_DISTRIBUTE_BESIDE = text("""
    select create_distributed_table(cast(cast(:name as text) as regclass), 'store_id', colocate_with => :beside)
""")
_KEEP_LOCAL = text("select citus_add_local_table_to_metadata(cast(cast(:name as text) as regclass))")
_COPY_FUNCTION = text("select create_distributed_function(cast(cast(:signature as text) as regprocedure))")
_DELEGATE = text("""
    select create_distributed_function(
        cast(cast(:signature as text) as regprocedure), 'in_store', colocate_with => 'profile', force_delegation => true
    )
""")
