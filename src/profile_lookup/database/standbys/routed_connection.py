"""A connection for lookups that runs them on a standby if one has everything that was answered before."""

import asyncio
from collections.abc import Sequence

import asyncpg

from profile_lookup.database.single_queries.dedicated_connection import DedicatedConnection
from profile_lookup.database.single_queries.direct_statement import DecodeRow, Settle
from profile_lookup.database.standbys.checked_connection import CheckedConnection
from profile_lookup.database.standbys.positions import POSITION, Position, Verdict, decoded_position, verdict_on_replay
from profile_lookup.database.standbys.standby import FIRST_PAUSE, LONGEST_WAIT, Standby
from profile_lookup.database.standbys.standbys import Standbys


def lookup_connection(database_url: str, standbys: Standbys | None) -> DedicatedConnection:
    """Return a connection for lookups, which runs them on the standbys if there are any."""
    return RoutedConnection(database_url, standbys) if standbys and standbys.all else DedicatedConnection(database_url)


class RoutedConnection(DedicatedConnection):
    """A connection to the primary, and one to each standby. It runs one query at a time, wherever that is answered.

    `fetch` runs a query on the primary. `begin` runs it on a standby if that is prepared for it.
    """

    def __init__(self, database_url: str, standbys: Standbys) -> None:
        super().__init__(database_url)
        self._standbys = standbys
        self._of_standby = {each: CheckedConnection(each) for each in standbys.all}

    async def fetch(self, statement: str, arguments: Sequence[object], time_left: float) -> list[asyncpg.Record]:
        deadline = self._loop.time() + time_left
        rows = await super().fetch(statement, arguments, time_left)
        if POSITION not in self._names:
            async with asyncio.timeout_at(deadline):
                await self.prepare(POSITION)
        return rows

    def begin(
        self, statement: str, parameters: Sequence[bytes], time_left: float, decode: DecodeRow, settle: Settle
    ) -> bool:
        standby = self._standbys.next_used()
        if standby is None:
            return super().begin(statement, parameters, time_left, decode, settle)
        connection = self._of_standby[standby]
        if not connection.is_ready_for(statement):
            if not connection.is_busy:
                connection.prepare_soon(statement)
            return super().begin(statement, parameters, time_left, decode, settle)
        read = _Read(self, standby, connection, (statement, parameters, self._loop.time() + time_left, decode, settle))
        if not super().begin(POSITION, (), time_left, decoded_position, read.receive_position):
            return False
        read.start()
        return True

    def begin_on_primary(
        self, statement: str, parameters: Sequence[bytes], time_left: float, decode: DecodeRow, settle: Settle
    ) -> bool:
        """Do what `begin` of a dedicated connection does."""
        return super().begin(statement, parameters, time_left, decode, settle)

    async def close(self) -> None:
        await super().close()
        for connection in self._of_standby.values():
            await connection.close()


_Query = tuple[str, Sequence[bytes], float, DecodeRow, Settle]
"""The arguments of `begin`, with the deadline instead of the time that is left."""


class _Read:
    """One query, which a standby and the primary answer at once: the standby with rows, the primary with its position.

    If the standby had not come to the position before it looked for the rows, it is asked again, until `LONGEST_WAIT`
    has passed. Then the primary looks for the rows, too.
    """

    def __init__(
        self, primary: RoutedConnection, standby: Standby, connection: CheckedConnection, query: _Query
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._primary = primary
        self._standby = standby
        self._connection = connection
        self._statement, self._parameters, self._deadline, self._decode, self._settle = query
        self._position: Position | None = None
        self._rows: list[object] | None = None
        self._is_for_primary = False
        self._is_over = False
        self._pause = FIRST_PAUSE
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = self._loop.call_later(LONGEST_WAIT, self._stop_waiting)
        self._begin_on_standby()

    def receive_position(self, positions: list[Position] | None) -> None:
        if positions is None:  # the primary is lost, and `fetch` has to connect again
            self._end(None)
            return
        (self._position,) = positions
        if self._is_for_primary:
            self._begin_on_primary()
        else:
            self._compare()

    def _begin_on_standby(self) -> None:
        self._rows = None
        time_left = self._deadline - self._loop.time()
        if self._is_over or self._is_for_primary:
            return
        if not self._connection.begin(self._statement, self._parameters, time_left, self._decode, self._receive_rows):
            self._receive_rows(None)

    def _receive_rows(self, rows: list[object] | None) -> None:
        if self._is_over or self._is_for_primary:
            return
        self._rows = rows
        if rows is None:
            self._standby.suspend(Verdict.SILENT)
            self._use_primary()
        else:
            self._compare()

    def _compare(self) -> None:
        """Use the rows if the standby had come to the position."""
        if self._position is None or self._rows is None:
            return
        verdict = verdict_on_replay(self._connection.replay, self._position)
        if verdict is Verdict.USED:
            self._standby.count_answer()
            self._end(self._rows)
        elif verdict is Verdict.LATE:
            self._loop.call_later(self._pause, self._begin_on_standby)
            self._pause *= 2
        else:
            self._standby.suspend(verdict)
            self._use_primary()

    def _stop_waiting(self) -> None:
        if self._is_over or self._is_for_primary:
            return
        if self._position is None:  # it is the primary that takes so long
            self._timer = self._loop.call_later(LONGEST_WAIT, self._stop_waiting)
            return
        self._standby.suspend(Verdict.LATE, self._position)
        self._use_primary()

    def _use_primary(self) -> None:
        """Let the primary look for the rows, as soon as it has returned its position."""
        self._is_for_primary = True
        if self._position is not None:
            self._begin_on_primary()

    def _begin_on_primary(self) -> None:
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        time_left = self._deadline - self._loop.time()
        query = self._statement, self._parameters, time_left, self._decode, self._settle
        if not self._primary.begin_on_primary(*query):
            self._settle(None)

    def _end(self, rows: list[object] | None) -> None:
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._settle(rows)
