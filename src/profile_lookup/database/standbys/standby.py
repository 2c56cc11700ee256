"""One standby: whether it is used at present, and a watch that finds out whether it may be."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

import asyncpg

from profile_lookup.database.single_queries.dedicated_connection import DedicatedConnection
from profile_lookup.database.standbys.positions import (
    REPLAY,
    STATE,
    Position,
    ServerState,
    Verdict,
    replay_of,
    verdict_on,
    verdict_on_replay,
)
from profile_lookup.errors import Unavailable
from profile_lookup.metrics.catalogue import STANDBY_LAG, STANDBY_READS, STANDBY_USED

QUERIES_AT_ONCE = 2  # connections for checks and batches, beside one for the watch
INTERVAL = 0.5  # seconds between two looks at a standby
INTERVAL_WHILE_LATE = 0.05  # seconds
LONGEST_SILENCE = 2.0  # seconds
LOGGED_WHEN_LATE_FOR = 1.0  # seconds; under many writes, a standby may be late for moments again and again
LONGEST_WAIT = 0.05  # seconds that a read waits for a standby until it goes to the primary
FIRST_PAUSE = 0.0005  # seconds between two looks at how far a standby has come; each is twice as long as the one before

log = logging.getLogger(__name__)


class Standby:
    """A standby is not used at first, and whenever something was wrong, until the watch finds that it may be used.

    `number` counts the standbys of the settings, from 1. `url` names one host.
    """

    def __init__(self, number: int, url: str) -> None:
        self.number = number
        self.url = url
        self.label = str(number)
        """What metrics call it."""
        self.verdict = self._logged = Verdict.UNKNOWN
        self._since = 0.0
        """The time of the loop since when this is the verdict."""
        self._needed = Position(0, 0)
        """How far it must have replayed the log before it is used again."""
        self._watching = DedicatedConnection(url)
        self._connections: asyncio.LifoQueue[DedicatedConnection] = asyncio.LifoQueue()
        for _ in range(QUERIES_AT_ONCE):
            self._connections.put_nowait(DedicatedConnection(url))
        parts = urlsplit(url)
        self._name = f"standby {number} ({parts.hostname or 'socket'}:{parts.port or 5432})"

    @property
    def is_used(self) -> bool:
        return self.verdict is Verdict.USED

    def suspend(self, verdict: Verdict, needed: Position | None = None) -> None:
        """Stop using the standby until the watch finds that it may be used, and has replayed the log up to `needed`."""
        STANDBY_READS.add(self.label, "late" if verdict is Verdict.LATE else "failed")
        if needed is not None:
            self._needed = max(self._needed, needed)
        self._set(verdict)

    def count_answer(self) -> None:
        STANDBY_READS.add(self.label, "answered")

    async def has_replayed(self, needed: Position) -> bool:
        """Return whether the standby has replayed the log up to there in time. If not, it is suspended."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LONGEST_WAIT
        pause = FIRST_PAUSE
        try:
            while True:
                replay = replay_of(await self.fetch(REPLAY, (), LONGEST_SILENCE))
                verdict = verdict_on_replay(replay, needed)
                if verdict is Verdict.USED:
                    return True
                if verdict is not Verdict.LATE or loop.time() + pause > deadline:
                    self.suspend(verdict, needed)
                    return False
                await asyncio.sleep(pause)
                pause *= 2
        except Unavailable:
            self.suspend(Verdict.SILENT)
            return False

    async def fetch(self, statement: str, arguments: Sequence[object], time_left: float) -> list[asyncpg.Record]:
        """Run one query and return its rows. Raises `Unavailable`."""
        connection = await self._connections.get()
        try:
            return await connection.fetch(statement, arguments, time_left)
        finally:
            self._connections.put_nowait(connection)

    async def watch(self, state_of_primary: Callable[[], Awaitable[ServerState]]) -> None:
        """Look at the standby again and again. While the primary does not answer, nothing is decided."""
        while True:
            await self._look(state_of_primary)
            await asyncio.sleep(INTERVAL_WHILE_LATE if self.verdict is Verdict.LATE else INTERVAL)

    async def _look(self, state_of_primary: Callable[[], Awaitable[ServerState]]) -> None:
        try:
            async with asyncio.timeout(LONGEST_SILENCE):
                (row,) = await self._watching.fetch(STATE, (), LONGEST_SILENCE)
        except (Unavailable, TimeoutError):
            self._set(Verdict.SILENT)
            return
        try:
            primary = await state_of_primary()
        except Unavailable:
            return
        standby = ServerState(*row)
        needed = self._needed.offset if self._needed.timeline == primary.timeline else 0
        verdict = verdict_on(primary, standby, needed)
        if verdict in {Verdict.USED, Verdict.LATE}:
            STANDBY_LAG.set(max(primary.offset - standby.offset, 0), self.label)
        self._set(verdict)

    def _set(self, verdict: Verdict) -> None:
        """Keep the verdict, and log it if it is another one than that which was logged last."""
        now = asyncio.get_running_loop().time()
        if verdict is not self.verdict:
            self.verdict, self._since = verdict, now
        STANDBY_USED.set(self.is_used, self.label)
        is_passing = verdict is Verdict.LATE and now - self._since < LOGGED_WHEN_LATE_FOR
        if verdict is not self._logged and not is_passing:
            self._logged = verdict
            log.log(logging.INFO if verdict is Verdict.USED else logging.WARNING, "%s: %s", self._name, verdict.value)

    async def close(self) -> None:
        await self._watching.close()
        while not self._connections.empty():
            await self._connections.get_nowait().close()
