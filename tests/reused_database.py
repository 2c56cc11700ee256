"""A database that the tests of one pytest worker use one after another, and that is empty for each of them."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import asyncpg

from profile_lookup.database.tables import metadata

# PostgreSQL then checks no references and runs no triggers. Nodes of Citus do, so whatever refers to a table is first.
_SESSION = {"session_replication_role": "replica", "lock_timeout": "20s"}
_TABLES = [table.name for table in reversed(metadata.sorted_tables) if table.name != "signing_key"]
# Deleting an operation waits until a worker has ended the step in which it handles this operation.
_EMPTY = ";".join(f"delete from {name}" for name in ["operation", *_TABLES])


class ReusedDatabase:
    """The URLs of the database, one for each node that it is on, and a connection of its own that empties it."""

    def __init__(
        self, urls: Sequence[str], runner: asyncio.Runner, connection: "asyncpg.Connection[asyncpg.Record]"
    ) -> None:
        self.urls = urls
        self.is_empty = True
        self._runner = runner
        self._connection = connection

    def empty(self) -> None:
        """Delete everything but the signing keys, which a running application has read. Sequences go on."""
        self._runner.run(self._empty())
        self.is_empty = True

    async def _empty(self) -> None:
        try:
            await self._connection.execute(_EMPTY)
        except asyncpg.DeadlockDetectedError:  # a worker was in the middle of a step, and has ended it now
            await self._connection.execute(_EMPTY)

    @classmethod
    @contextmanager
    def opened(cls, urls: Sequence[str]) -> Iterator[Self]:
        with asyncio.Runner() as runner:
            connection = runner.run(asyncpg.connect(urls[0], server_settings=_SESSION))
            yield cls(urls, runner, connection)
            runner.run(connection.close())
