"""Connections that are held for questions, with their statements prepared.

A question of a connection of the pool takes several times as much of the processor: to take it out, to set it up, to
put it back.
"""

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncpg

from profile_lookup.database.connections import connect, translating_errors
from profile_lookup.errors import Unavailable

if TYPE_CHECKING:
    from asyncpg.prepared_stmt import PreparedStatement

_LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    # What asyncpg says of a connection that the server has just closed.
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class DedicatedConnection:
    """One to PostgreSQL, made when it is needed, and made anew when it was lost. One question at a time."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._loop = asyncio.get_running_loop()
        self._connection: asyncpg.Connection | None = None
        self._prepared: dict[str, PreparedStatement] = {}
        self._deadline = math.inf
        self._looks_at = math.inf
        self._timer: asyncio.Handle | None = None
        """One timer for all questions: to set one takes a tenth of the time that a quick question takes."""

    async def fetch(self, question: str, arguments: Sequence[object], time_left: float) -> list[asyncpg.Record]:
        """Once more if the connection was lost meanwhile, since asking changes nothing. Raises `Unavailable`.

        `time_left`: seconds, for both attempts together.
        """
        self._deadline = self._loop.time() + time_left
        if self._deadline < self._looks_at:
            self._look_at(self._deadline)
        try:
            prepared = self._prepared.get(question)
            if prepared is not None:
                try:
                    return await prepared.fetch(*arguments)
                except _LOST as error:
                    self._lose()
                    if self._deadline <= self._loop.time():  # it was taken from a question that is late
                        raise Unavailable from error
            async with asyncio.timeout_at(self._deadline):
                prepared = self._prepared[question] = await self._prepare(question)
                return await prepared.fetch(*arguments)
        except _LOST as error:
            self._lose()
            raise Unavailable from error
        except BaseException:
            self._lose()  # whatever it was: what was asked might still be answered, to whoever asks next
            with translating_errors():
                raise
        finally:
            self._deadline = math.inf

    async def _prepare(self, question: str) -> "PreparedStatement":
        """On a connection that is made anew if need be."""
        if self._connection is not None:
            try:
                return await self._connection.prepare(question)
            except _LOST:
                self._lose()
        self._connection = await connect(self._database_url, command_timeout=None)
        return await self._connection.prepare(question)

    async def close(self) -> None:
        """A question under way is not asked again."""
        self._deadline = -math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._looks_at = math.inf
        if self._connection is not None:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._connection.close(timeout=1)

    def _look_at(self, time: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._looks_at = time
        self._timer = self._loop.call_at(time, self._look)

    def _look(self) -> None:
        """Drop the connection if the question under way is late; else look again at its deadline."""
        self._looks_at = math.inf
        if self._deadline <= self._loop.time():
            self._lose()
        elif self._deadline < math.inf:
            self._look_at(self._deadline)

    def _lose(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
            self._prepared = {}
