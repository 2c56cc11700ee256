"""Keeps the service responsive when clients send more than it can do, by bounded queues and by quick refusals.

A class of requests has a `LoadLimit`. A request that would wait too long is refused at once, before its body is parsed.
See docs/decisions/0034-overload.md.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic
from typing import Self, TypeVar

from profile_lookup.errors import Overloaded
from profile_lookup.metrics.catalogue import LOAD_LIMITS, POOL_WAITS, UNDER_WAY
from profile_lookup.refusals import Refusals

Result = TypeVar("Result")

CALM_AFTER = 0.5  # seconds; the load is gone if half of a limit sufficed for so long
LOOKUP_BATCHES_AT_ONCE = 2
"""While the database works on one batch, the process prepares the next one. More of them would delay other requests."""


class LoadLimit:
    """Limits how many requests of one class are under way to what is done in `seconds`, by the measured rate.

    At least `least` and at most `most` may be under way; until a rate was measured, four times `least`.
    """

    __slots__ = (
        "_busy", "_clock", "_finished", "_half_used_at", "_least", "_limit", "_measured_from", "_most", "_seconds",
        "_under_way",
    )  # fmt: skip

    def __init__(self, least: int, most: int, seconds: float) -> None:
        self._clock = asyncio.get_running_loop().time
        self._least = least
        self._most = most
        self._seconds = seconds
        self._limit = min(4 * least, most)
        self._busy = max(1, least // 4)
        self._under_way = 0
        self._finished = 0
        self._measured_from = self._clock()
        self._half_used_at = -math.inf

    def begin(self, *, is_late: bool = False) -> None:
        """Count a request until `end` is called. Raises `Overloaded` if too many are under way.

        `is_late`: the request may have waited on a connection that was not read, so its answer would be late in any
        case. It is accepted only if the limit has not been half used for a while, which means that the load is gone.
        """
        if is_late or self._under_way * 2 >= self._limit:
            self._refuse_if_full(is_late=is_late)
        self.resume()

    def end(self) -> None:
        """Count a request as finished, and measure the rate."""
        if self._under_way * 2 >= self._limit:  # after the process has not run for a moment, answers may come first
            self._half_used_at = self._clock()
        self._under_way -= 1
        self._finished += 1
        if self._finished >= self._least and self._under_way >= self._busy:
            self._measure()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request while the block runs. Raises `Overloaded`."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def suspend(self) -> None:
        """Stop counting a request, because it waits for something that is not our work."""
        self._under_way -= 1

    def resume(self) -> None:
        """Count a request, whatever the limit is."""
        self._under_way += 1
        if self._under_way == self._busy:  # the time before, when there was little to do, shows no rate
            self._finished = 0
            self._measured_from = self._clock()

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Stop counting a request while the block runs."""
        self.suspend()
        try:
            yield
        finally:
            self.resume()

    def measure(self, name: str) -> None:
        """Set the gauges of the class of requests with this name."""
        UNDER_WAY.set(self._under_way, name)
        LOAD_LIMITS.set(self._limit, name)

    def _refuse_if_full(self, *, is_late: bool) -> None:
        now = self._clock()
        if self._under_way * 2 >= self._limit:
            self._half_used_at = now
        if self._under_way >= self._limit or (is_late and now < self._half_used_at + CALM_AFTER):
            raise Overloaded

    def _measure(self) -> None:
        now = self._clock()
        expected = self._finished / max(now - self._measured_from, 0.001) * self._seconds
        smoothed = (self._limit + min(expected, self._most)) / 2
        self._limit = max(self._least, round(smoothed))
        self._finished = 0
        self._measured_from = now


class ConnectionTurn:
    """A context in which a request may use a connection of the pool, from `begin` on.

    The turns are limited in number and given in the order of arrival; who waits counts for the limit of its class.
    """

    def __init__(self, limit: LoadLimit, turns: asyncio.Semaphore, *, is_late: bool = False) -> None:
        self._limit = limit
        self._turns = turns
        self._is_late = is_late
        self._is_counted = False
        self._has_turn = False

    async def __aenter__(self) -> Self:
        return self

    async def begin(self) -> None:
        """Count the request and wait for its turn, unless it was counted before. Raises `Overloaded`."""
        if self._is_counted:
            return
        self._limit.begin(is_late=self._is_late)
        self._is_counted = True
        await self._acquire()

    async def __aexit__(self, *_: object) -> None:
        self._release()
        if self._is_counted:
            self._limit.end()

    def interrupted(self, receive: Callable[[], Awaitable[Result]]) -> Callable[[], Awaitable[Result]]:
        """Return a function that does what `receive` does without a turn: a slow client must not occupy one."""

        async def receive_without_turn() -> Result:
            async with self.paused():
                return await receive()

        return receive_without_turn

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Let the block wait for something else than the database, without a turn and without counting."""
        if not self._is_counted:
            yield
            return
        self._release()
        with self._limit.uncounted():
            yield
        await self._acquire()

    async def _acquire(self) -> None:
        if self._turns.locked():
            began_at = monotonic()
            await self._turns.acquire()
            POOL_WAITS.of("turn").add(monotonic() - began_at)
        else:
            await self._turns.acquire()
        self._has_turn = True

    def _release(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turns.release()


class LoadLimits:
    """The limits of a process. `pool_size` is the number of connections that most requests share.

    Requests that may occupy a connection for long have turns of their own, so that they never take all connections.
    """

    def __init__(self, pool_size: int) -> None:
        self.lookups = LoadLimit(least=128, most=2048, seconds=0.05)
        self.creates = LoadLimit(least=128, most=2048, seconds=0.2)
        self.pooled = LoadLimit(least=2 * pool_size, most=2048, seconds=0.1)
        self.fuzzy = LoadLimit(least=pool_size, most=128, seconds=0.2)
        self.bulks = _fixed(16)  # each has up to 16 MiB in memory
        self.lookup_batches = LoadLimit(least=8, most=64, seconds=0.5)
        self.uploads = _fixed(64)
        self.pooled_turns = asyncio.Semaphore(pool_size)  # the pool itself serves those that wait in no order
        self.fuzzy_turns = asyncio.Semaphore(max(1, pool_size // 4))
        self.bulk_turns = asyncio.Semaphore(max(1, pool_size // 8))
        self.lookup_batch_turns = asyncio.Semaphore(LOOKUP_BATCHES_AT_ONCE)
        self.upload_turns = asyncio.Semaphore(max(1, pool_size // 8))
        self.refusals = Refusals()

    def measure(self) -> None:
        """Set the gauges of all classes."""
        for name, limit in vars(self).items():
            if isinstance(limit, LoadLimit):
                limit.measure(name)


def _fixed(count: int) -> LoadLimit:
    return LoadLimit(least=count, most=count, seconds=1.0)
