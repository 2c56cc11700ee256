"""The standbys of one process: which of them takes the next read."""

import asyncio
from collections.abc import Sequence

import asyncpg

from profile_lookup.database.connections import CONNECT_TIMEOUT
from profile_lookup.database.single_queries.dedicated_connection import DedicatedConnection
from profile_lookup.database.standbys.positions import POSITION, STATE, ServerState, Verdict, position_of
from profile_lookup.database.standbys.standby import Standby
from profile_lookup.errors import Unavailable

POSITIONS_AT_ONCE = 2  # connections to the primary, beside one for the watches


class Standbys:
    """Reads take turns among the standbys that are used. There may be none. `close` ends the watches."""

    def __init__(self, primary_url: str, urls: Sequence[str]) -> None:
        self.all = [Standby(number, url) for number, url in enumerate(urls, 1)]
        self._turn = 0
        self._watching = DedicatedConnection(primary_url)
        self._watch_turn = asyncio.Lock()
        self._primary: asyncio.LifoQueue[DedicatedConnection] = asyncio.LifoQueue()
        for _ in range(POSITIONS_AT_ONCE):
            self._primary.put_nowait(DedicatedConnection(primary_url))
        self._watches = [asyncio.create_task(standby.watch(self._state_of_primary)) for standby in self.all]

    def next_used(self) -> Standby | None:
        """Return the standby whose turn it is; None if none is used at present."""
        for _ in self.all:
            self._turn = (self._turn + 1) % len(self.all)
            standby = self.all[self._turn]
            if standby.is_used:
                return standby
        return None

    async def caught_up(self) -> Standby | None:
        """Return a standby that has everything that was answered before this call; None if none has it in time."""
        standby = self.next_used()
        if standby is None:
            return None
        connection = await self._primary.get()
        try:
            needed = position_of(await connection.fetch(POSITION, (), CONNECT_TIMEOUT))
        finally:
            self._primary.put_nowait(connection)
        return standby if await standby.has_replayed(needed) else None

    async def fetch(self, statement: str, arguments: Sequence[object], time: float) -> list[asyncpg.Record] | None:
        """Run a query on a standby that has caught up. Return None if the primary has to run it."""
        standby = await self.caught_up()
        if standby is None:
            return None
        try:
            rows = await standby.fetch(statement, arguments, time)
        except Unavailable:
            standby.suspend(Verdict.SILENT)
            return None
        standby.count_answer()
        return rows

    async def close(self) -> None:
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        for standby in self.all:
            await standby.close()
        while not self._primary.empty():
            await self._primary.get_nowait().close()
        await self._watching.close()

    async def _state_of_primary(self) -> ServerState:
        async with self._watch_turn:
            (row,) = await self._watching.fetch(STATE, (), CONNECT_TIMEOUT)
            return ServerState(*row)
