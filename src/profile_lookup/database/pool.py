"""The connection pool, and the two ways to use it: a transaction, or single statements."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

import asyncpg
from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from profile_lookup.database.connections import COMMAND_TIMEOUT, CONNECT_TIMEOUT, connect, telling_when_unavailable
from profile_lookup.database.dedicated_connection import DedicatedConnection
from profile_lookup.errors import Unavailable

HELD = 2  # connections, beside the pool's


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
        self._held: asyncio.LifoQueue[DedicatedConnection] = asyncio.LifoQueue()
        for _ in range(HELD):
            self._held.put_nowait(DedicatedConnection(database_url))

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

    async def ask(self, question: str, *arguments: object) -> list[asyncpg.Record]:
        """One statement that changes nothing, as every request has to ask it: on a connection that is held for it."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                held = await self._held.get()
        except TimeoutError:
            raise Unavailable("too many questions wait") from None
        try:
            return await held.fetch(question, arguments, COMMAND_TIMEOUT)
        finally:
            self._held.put_nowait(held)

    async def close(self) -> None:
        while not self._held.empty():
            await self._held.get_nowait().close()
        await self.engine.dispose()


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
