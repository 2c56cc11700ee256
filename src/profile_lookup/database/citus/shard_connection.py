"""A connection to a node of Citus for statements upon its shards, several of which share one round trip."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from profile_lookup.database.connections import CONNECT_TIMEOUT, PLANNING
from profile_lookup.database.single_queries.dedicated_connection import (
    CONNECTION_ERRORS,
    SILENCE,
    DedicatedConnection,
)
from profile_lookup.database.single_queries.direct_statement import (
    EXECUTE,
    IDLE,
    SYNC,
    DecodeRow,
    Exchange,
    Settle,
    bind_message,
    rows_from,
)
from profile_lookup.errors import Unavailable

Statement = tuple[str, Sequence[bytes]]
"""A statement, and its parameters as PostgreSQL receives them."""


class Pipeline(Exchange):
    """Sends several prepared statements at once. The answer has the rows of each, in this order."""

    def begin_all(self, statements: Sequence[tuple[bytes, Sequence[bytes]]], decode: DecodeRow, settle: Settle) -> None:
        """Do what `begin` does with several statements, given by their names, and call `settle` with a list of each."""
        messages = [bind_message(name, parameters) + EXECUTE for name, parameters in statements]
        self._count = len(messages)
        self.send(b"".join((*messages, SYNC)), decode, settle)

    def rows_in(self, answer: bytes, decode: DecodeRow) -> list[Any] | None:
        rows_of_each = []
        position = 0
        for _ in range(self._count):
            rows, position = rows_from(answer, position, decode)
            if rows is None:
                return None
            rows_of_each.append(rows)
        return rows_of_each if position == len(answer) - len(IDLE) else None


class ShardConnection(DedicatedConnection):
    """A dedicated connection to a node. It is opened beforehand, so that no lookup waits for a node that is lost."""

    @property
    def is_open(self) -> bool:
        return self._exchange is not None and not self._exchange.is_lost()

    async def open(self) -> None:
        """Connect, unless the connection is open. Raises `Unavailable`."""
        if self.is_open:
            return
        self._drop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._open()
        except (TimeoutError, *CONNECTION_ERRORS) as error:
            self._drop()
            raise Unavailable from error

    async def exchange_on(self, connection: asyncpg.Connection) -> Exchange:
        # The statements name the shards, so Citus does not plan them, and their plans are kept.
        await connection.execute(f"set plan_cache_mode = {PLANNING['plan_cache_mode']}")
        return Pipeline(connection)

    def begin_all(self, statements: Sequence[Statement], time_left: float, decode: DecodeRow, settle: Settle) -> bool:
        """Do what `begin` does with several statements, and call `settle` with the rows of each, or with None.

        Return False if one of them is not prepared, or the connection is not open.
        """
        exchange = self._exchange
        if not isinstance(exchange, Pipeline) or exchange.is_lost():
            return False
        if any(sql not in self._names for sql, _ in statements):
            return False
        self._set_deadline(time_left)
        named = [(self._names[sql], parameters) for sql, parameters in statements]
        exchange.begin_all(named, decode, self._ending(settle))
        return True

    async def prepare_all(self, statements: Sequence[str], time_left: float) -> None:
        """Prepare the statements that are not prepared yet, on the open connection.

        Raises `Unavailable` if the connection is not open, is lost, or is silent.
        """
        connection = self._connection
        if connection is None:
            raise Unavailable
        try:
            async with asyncio.timeout(min(time_left, SILENCE)):
                for statement in statements:
                    if statement not in self._names:
                        prepared = await connection.prepare(statement)
                        self._prepared[statement], self._names[statement] = prepared, prepared.get_name().encode()
        except (TimeoutError, *CONNECTION_ERRORS) as error:
            self._drop()
            raise Unavailable from error
