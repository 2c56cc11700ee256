"""Engines of SQLAlchemy, whose errors are translated and whose connections are closed when their server is silent."""

import math
from functools import partial
from time import monotonic

from sqlalchemy import Connection, Engine, ExceptionContext, event, exc
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, PoolProxiedConnection

from profile_lookup.database.citus.statements import for_citus
from profile_lookup.database.connections import CONNECT_TIMEOUT, REQUEST_LIMITS, TimeLimits, connect, is_unavailable
from profile_lookup.errors import Unavailable


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
    event.listen(engine.sync_engine, "connect", partial(_route, engine.sync_engine))
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


def _route(engine: Engine, connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """Let all statements of the engine reach the node of their store if the database is distributed."""
    if connection.driver_connection.is_distributed and not event.contains(engine, "before_cursor_execute", _routed):
        event.listen(engine, "before_cursor_execute", _routed, retval=True)


def _routed(
    _connection: Connection, _cursor: object, statement: str, parameters: object, _context: object, _is_many: object
) -> tuple[str, object]:
    return for_citus(statement), parameters


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
