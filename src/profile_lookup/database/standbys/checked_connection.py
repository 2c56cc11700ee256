"""A connection to a standby whose answers say how far it had replayed the log before each statement began."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from profile_lookup.database.connections import CONNECT_TIMEOUT
from profile_lookup.database.single_queries.dedicated_connection import DedicatedConnection
from profile_lookup.database.single_queries.direct_statement import EXECUTE, DecodeRow, Exchange, bind_message
from profile_lookup.database.standbys.positions import CUT_OFF, REPLAY, SIZE_OF_REPLAY, Replay, Verdict, decoded_replay
from profile_lookup.database.standbys.standby import Standby
from profile_lookup.errors import Unavailable


class CheckedExchange(Exchange):
    """Runs REPLAY and then a statement, in one round trip.

    They must be two statements, in this order. A single one would see the state of the moment when it began, and the
    function would say how far the replay has come since.
    """

    replay = Replay(is_in_recovery=False, timeline=CUT_OFF, offset=0)
    """What REPLAY returned with the last answer."""

    def __init__(self, connection: asyncpg.Connection, name_of_replay: bytes) -> None:
        super().__init__(connection)
        self._look_at_replay = bind_message(name_of_replay, ()) + EXECUTE

    def messages(self, name: bytes, parameters: Sequence[bytes]) -> bytes:
        return self._look_at_replay + super().messages(name, parameters)

    def rows_in(self, answer: bytes, decode: DecodeRow) -> list[Any] | None:
        if len(answer) < SIZE_OF_REPLAY:
            return None
        self.replay = decoded_replay(answer)
        return super().rows_in(answer[SIZE_OF_REPLAY:], decode)


class CheckedConnection(DedicatedConnection):
    """A dedicated connection to a standby. It is prepared beforehand, so that no lookup waits for that."""

    def __init__(self, standby: Standby) -> None:
        super().__init__(standby.url)
        self._standby = standby
        self._preparing: asyncio.Task[None] | None = None

    @property
    def replay(self) -> Replay:
        """How far the standby had replayed the log before the statement that was answered last."""
        assert isinstance(self._exchange, CheckedExchange)
        return self._exchange.replay

    @property
    def is_busy(self) -> bool:
        is_preparing = self._preparing is not None and not self._preparing.done()
        return is_preparing or (self._exchange is not None and self._exchange.is_under_way)

    def is_ready_for(self, statement: str) -> bool:
        """Return whether `begin` would run the statement now."""
        return (
            statement in self._names
            and self._exchange is not None
            and not self._exchange.is_lost()
            and not self.is_busy
        )

    def prepare_soon(self, statement: str) -> None:
        """Begin to prepare a statement, and to connect if necessary. The connection must not be busy."""
        self._preparing = self._loop.create_task(self._prepare_in_time(statement))

    async def exchange_on(self, connection: asyncpg.Connection) -> Exchange:
        # It stays prepared as long as there is a reference to it.
        self._look = await connection.prepare(REPLAY)
        return CheckedExchange(connection, self._look.get_name().encode())

    async def close(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        await super().close()

    async def _prepare_in_time(self, statement: str) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self.prepare(statement)
        except (OSError, TimeoutError, Unavailable, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._drop()
            self._standby.suspend(Verdict.SILENT)
