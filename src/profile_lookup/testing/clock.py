"""Moves the clock of a server for tests: that of this process, and that of its database.

Statements call `clock_timestamp()` and the like without a schema. In this database, a schema that stands before
`pg_catalog` has functions of these names, which add as much to the real time as `CLOCK` does. The product itself needs
nothing for that.
"""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.connections import connect
from profile_lookup.database.pool import Database
from profile_lookup.errors import OperatorError
from profile_lookup.operations.job_worker import KEPT_FOR
from profile_lookup.operations.queries import remove_old

_VOLATILITY = {
    "clock_timestamp": "volatile",
    "statement_timestamp": "stable",
    "transaction_timestamp": "stable",
    "now": "stable",
}

_SCHEMAS = """
    create schema testing;
    create table testing.clock (moved_by interval not null);
    insert into testing.clock values ('0');
    create schema testing_functions;
    do $$ begin
        execute format('alter database %I set search_path = testing_functions, pg_catalog, public', current_database());
    end $$;
"""
_FUNCTION = """
    create function testing_functions.{name}() returns timestamptz language sql {volatility}
    as 'select pg_catalog.{name}() + moved_by from testing.clock'
"""


async def prepare_database(database_url: str) -> None:
    """Let all connections that are opened from now on use a clock that can be moved.

    Raises `OperatorError` if the database has stores: a server for tests would delete them.
    """
    connection = await connect(database_url)
    try:
        if await connection.fetchval("select exists (select from store)"):
            raise OperatorError("The database has stores: a server for tests needs a database of its own")
        await connection.execute(_SCHEMAS)
        for name, volatility in _VOLATILITY.items():
            await connection.execute(_FUNCTION.format(name=name, volatility=volatility))
    finally:
        await connection.close()


async def move_clock(database: Database, now: datetime) -> None:
    """Set both clocks to this time, and delete the operations whose time is up by then.

    The leases of operations that a worker has move with the clock, so that the worker keeps them. If the clock goes
    back, so does the time at which each operation and each sequence is ready, or what was ready would have to wait.
    """
    moved_by = now - CLOCK.now() + CLOCK.moved_by
    async with database.transaction() as connection:
        await _move(connection, moved_by)
    CLOCK.moved_by = moved_by
    async with database.statements() as connection:
        await remove_old(connection, KEPT_FOR)


async def _move(connection: AsyncConnection, moved_by: timedelta) -> None:
    before: timedelta = (await connection.execute(_LOCK)).scalar_one()
    await connection.execute(_MOVE, {"moved_by": moved_by})
    further = moved_by - before
    await connection.execute(_MOVE_LEASES, {"further": further})
    back = min(further, timedelta())
    await connection.execute(_MOVE_OPERATIONS_BACK, {"back": back})
    await connection.execute(_MOVE_TURNS_BACK, {"back": back})


_LOCK = text("select moved_by from testing.clock for update")
_MOVE = text("update testing.clock set moved_by = :moved_by")
_MOVE_LEASES = text("""
    update operation set leased_until = leased_until + :further where lease is not null and completed_at is null
""")
_MOVE_OPERATIONS_BACK = text("update operation set ready_at = ready_at + :back where completed_at is null")
_MOVE_TURNS_BACK = text("update operation_turn set ready_at = ready_at + :back")
