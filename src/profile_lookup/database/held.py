"""Connections that are held for questions, with their statements prepared.

A question of a connection of the pool takes several times as much of the processor: to take it out, to set it up, to
put it back.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncpg

from profile_lookup.database.connecting import connect, telling_when_unavailable
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


class HeldConnection:
    """One to PostgreSQL, made when it is needed, and made anew when it was lost. One question at a time."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: asyncpg.Connection | None = None
        self._prepared: dict[str, PreparedStatement] = {}

    async def fetch(self, question: str, arguments: Sequence[object], time_left: float) -> list[asyncpg.Record]:
        """Once more if the connection was lost meanwhile, since asking changes nothing. Raises `Unavailable`.

        `time_left`: seconds, for each of the two attempts.
        """
        try:
            prepared = self._prepared.get(question)
            if prepared is not None:
                try:
                    return await prepared.fetch(*arguments, timeout=time_left)
                except TimeoutError:
                    raise  # which is an OSError, too
                except _LOST:
                    self._lose()
            async with asyncio.timeout(time_left):
                prepared = self._prepared[question] = await self._prepare(question)
                return await prepared.fetch(*arguments)
        except _LOST as error:
            self._lose()
            raise Unavailable from error
        except BaseException:
            self._lose()  # whatever it was: what was asked might still be answered, to whoever asks next
            with telling_when_unavailable():
                raise

    async def _prepare(self, question: str) -> "PreparedStatement":
        """On a connection that is made anew if need be."""
        if self._connection is not None:
            try:
                return await self._connection.prepare(question)
            except TimeoutError:
                raise  # which is an OSError, too
            except _LOST:
                self._lose()
        self._connection = await connect(self._database_url)
        return await self._connection.prepare(question)

    async def close(self) -> None:
        if self._connection is not None:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._connection.close(timeout=1)

    def _lose(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
            self._prepared = {}
