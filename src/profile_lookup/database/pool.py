"""The connection pool, and the ways to use it: a transaction, a snapshot, or single statements."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import asyncpg
from sqlalchemy import ExceptionContext, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from profile_lookup.database.connections import (
    COMMAND_TIMEOUT,
    CONNECT_TIMEOUT,
    committing,
    connect,
    is_unavailable,
    translating_errors,
)
from profile_lookup.database.dedicated_connection import DedicatedConnection
from profile_lookup.errors import Unavailable

DEDICATED = 2  # connections beside the pool's, for single queries


def create_engine(
    database_url: str, *, pool_size: int | None, command_timeout: float | None = COMMAND_TIMEOUT
) -> AsyncEngine:
    """Return an engine whose statements and commits raise `Unavailable` when PostgreSQL is not there for us.

    Without `pool_size` each use makes a connection of its own.
    """
    pool = (
        {"poolclass": NullPool}
        if pool_size is None
        else {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": CONNECT_TIMEOUT}
    )
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(connect, database_url, command_timeout=command_timeout),
        isolation_level="READ COMMITTED",
        hide_parameters=True,  # parameters are identifier values: personal data, which no exception text may hold
        **pool,
    )
    event.listen(engine.sync_engine, "handle_error", _translate)
    return engine


def _translate(context: ExceptionContext) -> Unavailable | None:
    """SQLAlchemy raises what this returns in place of the error, which becomes its cause."""
    error = context.sqlalchemy_exception or context.original_exception
    if not isinstance(error, Exception):
        return None  # a task that is cancelled loses its connection, too, and must see that it is cancelled
    return Unavailable() if context.is_disconnect or is_unavailable(error) else None


class Database:
    """One pool of connections. Errors of connecting, executing and committing are translated here."""

    def __init__(self, database_url: str, *, pool_size: int, command_timeout: float | None = COMMAND_TIMEOUT) -> None:
        self.engine = create_engine(database_url, pool_size=pool_size, command_timeout=command_timeout)
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._snapshot = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        # Writes may have to wait for each other, and hold a connection while they do: never all of them.
        self._writers = asyncio.Semaphore(max(1, pool_size * 3 // 4))
        self._dedicated: asyncio.LifoQueue[DedicatedConnection] = asyncio.LifoQueue()
        for _ in range(DEDICATED):
            self._dedicated.put_nowait(DedicatedConnection(database_url))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """READ COMMITTED; committed when the block ends, rolled back when it raises.

        Raises `Unavailable`, and `OutcomeUnknown` if the connection was lost while it was being committed.
        """
        async with _connection(self.engine) as connection, connection.begin() as transaction:
            yield connection
            with committing():
                await transaction.commit()

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
        """For queries that belong together: all see the same moment, and none sees half of a merge."""
        async with _connection(self._snapshot) as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def statements(self) -> AsyncIterator[AsyncConnection]:
        """Each statement on its own, without the round trips of a transaction."""
        async with _connection(self._autocommit) as connection:
            yield connection

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one query that changes nothing, such as every request needs, on a connection that is kept for these."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                dedicated = await self._dedicated.get()
        except TimeoutError:
            raise Unavailable("too many queries wait") from None
        try:
            return await dedicated.fetch(query, arguments, COMMAND_TIMEOUT)
        finally:
            self._dedicated.put_nowait(dedicated)

    async def close(self) -> None:
        while not self._dedicated.empty():
            await self._dedicated.get_nowait().close()
        await self.engine.dispose()


@asynccontextmanager
async def _connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with AsyncExitStack() as stack:
        with translating_errors():  # the pool's own time limit is no error of the driver
            connection = await stack.enter_async_context(engine.connect())
        yield connection
