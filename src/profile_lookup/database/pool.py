"""The connection pool, and the ways to use it: a transaction, a snapshot, or single statements."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from time import monotonic

import asyncpg
from sqlalchemy import Connection, Engine, ExceptionContext, event, exc
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, PoolProxiedConnection

from profile_lookup.database.backend_watch import watched
from profile_lookup.database.citus.statements import for_citus
from profile_lookup.database.connections import (
    CONNECT_TIMEOUT,
    REQUEST_LIMITS,
    WATCHED_LIMITS,
    TimeLimits,
    committing,
    connect,
    is_unavailable,
    translating_errors,
)
from profile_lookup.database.single_queries.dedicated_connection import DedicatedConnection
from profile_lookup.errors import Unavailable

DEDICATED = 2  # connections beside the pool's, for single queries
WATCHED = 4  # connections beside the pool's, opened only by those who use `watched_transaction`


def create_engine(database_url: str, *, pool_size: int | None, limits: TimeLimits = REQUEST_LIMITS) -> AsyncEngine:
    """Return an engine whose statements and commits raise `Unavailable` when PostgreSQL is unavailable.

    If `pool_size` is None, each use opens its own connection.
    """
    pool = (
        {"poolclass": NullPool}
        if pool_size is None
        else {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": CONNECT_TIMEOUT}
    )
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(connect, database_url, limits),
        isolation_level="READ COMMITTED",
        hide_parameters=True,  # parameters are personal data, which no exception text may contain
        **pool,
    )
    event.listen(engine.sync_engine, "handle_error", _translate)
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    event.listen(engine.sync_engine, "connect", partial(_route, engine.sync_engine, limits))
    silence = _Silence()
    event.listen(engine.sync_engine, "connect", silence.connected)
    event.listen(engine.sync_engine, "handle_error", silence.failed)
    event.listen(engine.sync_engine, "close", silence.closing)
    return engine


def _translate(context: ExceptionContext) -> Unavailable | None:
    """Return the error that SQLAlchemy raises instead, with the original one as its cause; None to raise that."""
    error = context.sqlalchemy_exception or context.original_exception
    if not isinstance(error, Exception):
        return None  # a task that is cancelled loses its connection, too, and must see that it is cancelled
    return Unavailable() if context.is_disconnect or is_unavailable(error) else None


def _refuse_closed(connection: DBAPIConnection, _record: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
    """Let the pool open a new connection if the server has closed this one while nobody used it."""
    if connection.driver_connection.is_closed():
        raise exc.DisconnectionError


def _route(engine: Engine, limits: TimeLimits, connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """Let all statements of the engine reach the node of their store if the database is distributed."""
    if connection.driver_connection.is_distributed and not event.contains(engine, "before_cursor_execute", _routed):
        event.listen(engine, "before_cursor_execute", _routed, retval=True)
        event.listen(engine, "begin", partial(_limit_locks, limits))


def _routed(
    _connection: Connection, _cursor: object, statement: str, parameters: object, _context: object, _is_many: object
) -> tuple[str, object]:
    return for_citus(statement), parameters


def _limit_locks(limits: TimeLimits, connection: Connection) -> None:
    """Let the waits for locks end on the workers, too: Citus sends them what is set for a transaction alone."""
    if connection.get_isolation_level() != "AUTOCOMMIT":
        connection.exec_driver_sql("set local citus.propagate_set_commands = local")
        connection.exec_driver_sql(f"set local lock_timeout = '{round(1000 * (limits.lock or 0))}ms'")


class _Silence:
    """Closes the connections of an engine at once if its server has fallen silent since they were opened.

    SQLAlchemy closes each in order, which takes two seconds if the server is silent. If it is not, that is right: when
    a task is cancelled, its statement must be cancelled in the server before the connection is closed.
    """

    def __init__(self) -> None:
        self._noticed_at = -math.inf

    def connected(self, _connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        record.info[_OPENED_AT] = monotonic()

    def failed(self, context: ExceptionContext) -> None:
        if isinstance(context.original_exception, TimeoutError):
            self._noticed_at = monotonic()
            # A rollback would wait, too, and the other connections of the pool are no better. SQLAlchemy itself would
            # keep them, because it takes a time limit for a cancelled task.
            context.is_disconnect = context.invalidate_pool_on_disconnect = True

    def closing(self, connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        if record.info[_OPENED_AT] < self._noticed_at:
            connection.driver_connection.terminate()


_OPENED_AT = "opened_at"


class Database:
    """One pool of connections. Errors of connecting, executing and committing are translated here."""

    def __init__(self, database_url: str, *, pool_size: int, limits: TimeLimits = REQUEST_LIMITS) -> None:
        self.engine = create_engine(database_url, pool_size=pool_size, limits=limits)
        self._watched = create_engine(database_url, pool_size=WATCHED, limits=WATCHED_LIMITS)
        self._sessions = create_engine(database_url, pool_size=None, limits=limits)
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._snapshot = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
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
        """Yield a connection for queries that belong together: all see the same moment, and none sees half a merge."""
        async with _connection(self._snapshot) as connection, connection.begin():
            yield connection

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
        async with _connection(self._autocommit) as connection:
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
