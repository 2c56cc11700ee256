"""The connection pool, and the two ways to use it: a transaction, or single statements."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import asyncpg
from fastapi import Depends, Request
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from profile_lookup.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_TIMEOUT = 5.0  # seconds; also the wait for a free connection of the pool
COMMAND_TIMEOUT = 15.0  # seconds; for a server that fell silent, later than its own timeouts below

_SERVER_SETTINGS = {
    "application_name": "profile-lookup",
    "default_transaction_isolation": "read committed",
    "lock_timeout": "5s",
    "statement_timeout": "10s",
    # Statements with array parameters would otherwise be planned anew at every call.
    "plan_cache_mode": "force_generic_plan",
    # And a plan made while a table is empty would read it from end to end ever after.
    "enable_seqscan": "off",
    "jit": "off",
    "timezone": "UTC",
}

_UNAVAILABLE_CLASSES = ("08", "40", "53", "57")
"""SQLSTATE classes: connection exception, transaction rollback, insufficient resources, operator intervention."""
_UNAVAILABLE_STATES = ("55P03", "25006")
"""Lock not available; read-only transaction, which a standby in a failover answers."""


async def connect(database_url: str, *, command_timeout: float | None = COMMAND_TIMEOUT) -> asyncpg.Connection:
    """`database_url`: what libpq takes, `postgresql://…`. Raises `Unavailable` if the server does not let us in."""
    try:
        return await asyncpg.connect(
            database_url, timeout=CONNECT_TIMEOUT, command_timeout=command_timeout, server_settings=_SERVER_SETTINGS
        )
    except asyncpg.PostgresError as error:
        raise Unavailable from error


def create_engine(
    database_url: str, *, pool_size: int | None, command_timeout: float | None = COMMAND_TIMEOUT
) -> AsyncEngine:
    """`pool_size` None: a connection per use."""
    pool = (
        {"poolclass": NullPool}
        if pool_size is None
        else {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": CONNECT_TIMEOUT}
    )
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(connect, database_url, command_timeout=command_timeout),
        isolation_level="READ COMMITTED",
        hide_parameters=True,  # parameters are identifier values: personal data, which no exception text may hold
        **pool,
    )


class Database:
    """One pool of connections. Whatever keeps PostgreSQL from answering is `Unavailable`, here and nowhere else."""

    def __init__(self, database_url: str, *, pool_size: int, command_timeout: float | None = COMMAND_TIMEOUT) -> None:
        self.engine = create_engine(database_url, pool_size=pool_size, command_timeout=command_timeout)
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._snapshot = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        # Writes may have to wait for each other, and hold a connection while they do: never all of them.
        self._writers = asyncio.Semaphore(max(1, pool_size * 3 // 4))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """READ COMMITTED; committed when the block ends, rolled back when it raises."""
        with telling_when_unavailable():
            async with self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def transaction_in_turn(self) -> AsyncIterator[AsyncConnection]:
        """As `transaction`, for those that may wait for locks: some connections are left for those that do not."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._writers.acquire()
        except TimeoutError:
            raise Unavailable("too many writes wait for each other") from None
        try:
            async with self.transaction() as connection:
                yield connection
        finally:
            self._writers.release()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """For questions that belong together: all see the same moment, and none half of a merge."""
        with telling_when_unavailable():
            async with self._snapshot.begin() as connection:
                yield connection

    @asynccontextmanager
    async def statements(self) -> AsyncIterator[AsyncConnection]:
        """Each statement on its own, without the round trips of a transaction."""
        with telling_when_unavailable():
            async with self._autocommit.connect() as connection:
                yield connection

    async def close(self) -> None:
        await self.engine.dispose()


@contextmanager
def telling_when_unavailable() -> "Iterator[None]":
    try:
        yield
    except (OSError, TimeoutError, exc.TimeoutError, asyncpg.PostgresConnectionError) as error:
        raise Unavailable from error
    except (exc.DBAPIError, asyncpg.PostgresError) as error:
        if _is_unavailable(error):
            raise Unavailable from error
        raise


def _is_unavailable(error: exc.DBAPIError | asyncpg.PostgresError) -> bool:
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return True
        sqlstate = getattr(error.orig, "sqlstate", None)
    else:
        sqlstate = error.sqlstate
    return sqlstate is not None and (sqlstate[:2] in _UNAVAILABLE_CLASSES or sqlstate in _UNAVAILABLE_STATES)


async def database_of(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


DatabaseOfApp = Annotated[Database, Depends(database_of)]


async def _transaction(database: DatabaseOfApp) -> AsyncGenerator[AsyncConnection]:
    async with database.transaction() as connection:
        yield connection


async def _snapshot(database: DatabaseOfApp) -> AsyncGenerator[AsyncConnection]:
    async with database.snapshot() as connection:
        yield connection


Snapshot = Annotated[AsyncConnection, Depends(_snapshot, scope="function")]
"""One request, one moment."""

Transaction = Annotated[AsyncConnection, Depends(_transaction, scope="function")]
"""One request, one transaction. Scope `function`: committed before the answer is sent, not after."""
