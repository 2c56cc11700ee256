"""The connection pool, and the ways to use it: a transaction, a snapshot, or single statements."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from profile_lookup.database.backend_watch import watched
from profile_lookup.database.connections import (
    CONNECT_TIMEOUT,
    REQUEST_LIMITS,
    WATCHED_LIMITS,
    TimeLimits,
    committing,
    translating_errors,
)
from profile_lookup.database.engines import create_engine
from profile_lookup.database.single_queries.dedicated_connection import DedicatedConnection
from profile_lookup.database.standbys.standby_reads import Reader, StandbyReads
from profile_lookup.database.standbys.standbys import Standbys
from profile_lookup.errors import StandbyLost, Unavailable

T = TypeVar("T")

DEDICATED = 2  # connections beside the pool's, for single queries
WATCHED = 4  # connections beside the pool's, opened only by those who use `watched_transaction`


class Database:
    """A pool of connections to the primary, and one to each standby for what only reads profiles.

    Errors of connecting, executing and committing are translated here.
    """

    def __init__(
        self,
        database_url: str,
        *,
        pool_size: int,
        limits: TimeLimits = REQUEST_LIMITS,
        standby_urls: Sequence[str] = (),
    ) -> None:
        self.engine = create_engine(database_url, pool_size=pool_size, limits=limits)
        self._watched = create_engine(database_url, pool_size=WATCHED, limits=WATCHED_LIMITS)
        self._sessions = create_engine(database_url, pool_size=None, limits=limits)
        self._primary = Reader.of(self.engine)
        self.standbys = Standbys(database_url, standby_urls)
        self._reads = StandbyReads(self.standbys, self._primary, pool_size, limits)
        # Writes that wait for each other hold a connection meanwhile, so they must not get all connections.
        self._writers = asyncio.Semaphore(max(1, pool_size * 3 // 4))
        self._dedicated = [DedicatedConnection(database_url) for _ in range(DEDICATED)]
        # A queue of asyncio would let a newcomer overtake who waits, and send that one to its end.
        self._dedicated_turns = asyncio.Semaphore(DEDICATED)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection in a READ COMMITTED transaction.

        It is committed when the block ends, and rolled back when the block raises. Raises `Unavailable`, and
        `OutcomeUnknown` if the connection was lost while the transaction was being committed.
        """
        async with _connection(self.engine) as connection, _transaction(connection):
            yield connection

    @asynccontextmanager
    async def watched_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Do as `transaction`, for statements that may take hours: they last as long as PostgreSQL works on them.

        Raises `Unavailable` also if PostgreSQL does not work on them any more, and if it does not say so for a while.
        """
        async with _connection(self._watched) as connection, watched(connection, self.fetch), _transaction(connection):
            yield connection

    @asynccontextmanager
    async def write_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Do as `transaction`, for writes that may wait for locks. They leave some connections for all other uses."""
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
        """Yield a connection for queries that belong together: all see the same moment, and none sees half a merge.

        They see everything that was answered before. Raises `StandbyLost` if it is a connection to a standby which is
        lost before the block ends.
        """
        async with self._reads.reader() as reader, _connection(reader.snapshots) as connection, connection.begin():
            yield connection

    async def read(self, query: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Return what `query` returns, whose statements change nothing and see everything that was answered before.

        If a standby is lost meanwhile, `query` is called again.
        """
        try:
            async with self._reads.reader() as reader, _connection(reader.statements) as connection:
                return await query(connection)
        except StandbyLost:
            async with self.statements() as connection:
                return await query(connection)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """Yield a new connection, which is closed at the end, so that its temporary tables are for the caller alone.

        It is in no transaction yet.
        """
        async with _connection(self._sessions) as connection:
            yield connection

    @asynccontextmanager
    async def statements(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection that runs each statement alone, without the round trips of a transaction."""
        async with _connection(self._primary.statements) as connection:
            yield connection

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one query that changes nothing, such as every request needs, on a connection reserved for these."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._dedicated_turns.acquire()
        except TimeoutError:
            raise Unavailable("too many queries wait") from None
        dedicated = self._dedicated.pop()
        try:
            return await dedicated.fetch(query, arguments, CONNECT_TIMEOUT)
        finally:
            self._dedicated.append(dedicated)
            self._dedicated_turns.release()

    async def close(self) -> None:
        while self._dedicated:
            await self._dedicated.pop().close()
        await self._reads.close()
        await self.standbys.close()
        await self._watched.dispose()
        await self.engine.dispose()


@asynccontextmanager
async def _transaction(connection: AsyncConnection) -> AsyncIterator[None]:
    async with connection.begin() as transaction:
        yield
        with committing():
            await transaction.commit()


@asynccontextmanager
async def _connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with AsyncExitStack() as stack:
        with translating_errors():  # the driver does not raise the time limit of the pool
            connection = await stack.enter_async_context(engine.connect())
        yield connection
