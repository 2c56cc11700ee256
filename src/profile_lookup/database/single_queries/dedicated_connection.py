"""Connections outside of the pool for a few queries, whose statements stay prepared.

A query over a connection of the pool costs several times as much processor time: the connection is taken out of the
pool, set up, and returned to it.
"""

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg

from profile_lookup.database.citus.statements import for_citus
from profile_lookup.database.connections import REQUEST_LIMITS, ServiceConnection, connect, translating_errors
from profile_lookup.database.single_queries.direct_statement import DecodeRow, Exchange, Settle
from profile_lookup.errors import Unavailable

if TYPE_CHECKING:
    from asyncpg.prepared_stmt import PreparedStatement

_LIMITS = replace(REQUEST_LIMITS, command=None)  # a timer for each query would take a tenth of its time

SILENCE = 2.0
"""Seconds. A query takes some milliseconds; if one takes this long, the server is probably gone, and another host or a
new connection may answer."""

CONNECTION_ERRORS = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    # asyncpg raises these for a connection that the server has just closed.
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class DedicatedConnection:
    """A connection to PostgreSQL, opened when it is needed and again after it was lost. It runs one query at a time."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._loop = asyncio.get_running_loop()
        self._connection: ServiceConnection | None = None
        self._prepared: dict[str, PreparedStatement] = {}
        self._names: dict[str, bytes] = {}
        """The names of the prepared statements."""
        self._exchange: Exchange | None = None
        self._deadline = math.inf
        self._next_check = math.inf
        self._timer: asyncio.Handle | None = None
        """One timer for all queries: setting a timer takes a tenth of the time that a quick query takes."""

    @property
    def is_distributed(self) -> bool | None:
        """Whether the database is distributed over nodes of Citus; None while the connection is not open."""
        return None if self._connection is None else self._connection.is_distributed

    async def fetch(self, statement: str, arguments: Sequence[object], time_left: float) -> list[asyncpg.Record]:
        """Run a query that changes nothing and return its rows.

        If the connection is lost or silent meanwhile, run it once more on a new one. `time_left`: seconds, for both
        attempts together. Raises `Unavailable`.
        """
        deadline = self._loop.time() + time_left
        self._set_deadline(time_left)
        try:
            prepared = self._prepared.get(statement)
            if prepared is not None:
                try:
                    return await prepared.fetch(*arguments)
                except CONNECTION_ERRORS as error:
                    self._drop()
                    # `close` sets the second one, and nothing is run again then.
                    if deadline <= self._loop.time() or self._deadline < 0:
                        raise Unavailable from error
            self._deadline = math.inf  # the timer is for the connection that was dropped
            async with asyncio.timeout_at(deadline):
                prepared = await self.prepare(statement)
                return await prepared.fetch(*arguments)
        except CONNECTION_ERRORS as error:
            self._drop()
            raise Unavailable from error
        except BaseException:
            self._drop()  # the answer might otherwise be returned to the next query
            with translating_errors():
                raise
        finally:
            self._deadline = math.inf

    def begin(
        self, statement: str, parameters: Sequence[bytes], time_left: float, decode: DecodeRow, settle: Settle
    ) -> bool:
        """Do what `fetch` does at its first attempt, without a task, and call `settle` with the rows, or with None.

        Return False if the statement is not prepared on an open connection. Then, and after None, call `fetch`.
        """
        name, exchange = self._names.get(statement), self._exchange
        if name is None or exchange is None or exchange.is_lost():
            return False
        self._set_deadline(time_left)
        exchange.begin(name, parameters, decode, self._ending(settle))
        return True

    def _ending(self, settle: Settle) -> Settle:
        """Return what takes the rows of an exchange, and drops the connection if there are none to take."""

        def end(rows: list[Any] | None) -> None:
            self._deadline = math.inf
            if rows is None:
                self._drop()
            settle(rows)

        return end

    async def prepare(self, statement: str) -> "PreparedStatement":
        """Prepare a statement, on a new connection if there is none or it was lost."""
        prepared = await self._prepare(statement)
        self._prepared[statement], self._names[statement] = prepared, prepared.get_name().encode()
        return prepared

    async def _prepare(self, statement: str) -> "PreparedStatement":
        if self._connection is not None:
            try:
                async with asyncio.timeout(SILENCE):
                    return await _prepared(self._connection, statement)
            except CONNECTION_ERRORS:
                self._drop()
        return await _prepared(await self._open(), statement)

    async def _open(self) -> ServiceConnection:
        """Connect anew."""
        self._connection = await connect(self._database_url, _LIMITS)
        self._exchange = await self.exchange_on(self._connection)
        return self._connection

    async def exchange_on(self, connection: asyncpg.Connection) -> Exchange:
        """Return what runs prepared statements on a new connection."""
        return Exchange(connection)

    async def close(self) -> None:
        """Close the connection. A query under way is not run again."""
        self._deadline = -math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._next_check = math.inf
        if self._exchange is not None and self._exchange.is_under_way:
            self._drop()
        if self._connection is not None:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._connection.close(timeout=1)

    def _set_deadline(self, time_left: float) -> None:
        """Let a first attempt end at the deadline of its query, or earlier if the server is silent."""
        self._deadline = self._loop.time() + min(time_left, SILENCE)
        if self._deadline < self._next_check:
            self._check_at(self._deadline)

    def _check_at(self, time: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next_check = time
        self._timer = self._loop.call_at(time, self._check_deadline)

    def _check_deadline(self) -> None:
        """Drop the connection if the query under way is late; otherwise check again at its deadline."""
        self._next_check = math.inf
        if self._deadline <= self._loop.time():
            self._drop()
        elif self._deadline < math.inf:
            self._check_at(self._deadline)

    def _drop(self) -> None:
        connection, exchange = self._connection, self._exchange
        self._connection = self._exchange = None
        self._prepared, self._names = {}, {}
        if connection is not None:
            connection.terminate()
        if exchange is not None:
            exchange.abandon()


async def _prepared(connection: ServiceConnection, statement: str) -> "PreparedStatement":
    return await connection.prepare(for_citus(statement) if connection.is_distributed else statement)
