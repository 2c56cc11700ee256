"""To wait for an answer without sleeping, if it is about to come.

While nothing arrives an event loop sleeps. To be woken up takes a process longer than PostgreSQL on the same machine
takes to answer; and then it runs half as fast for a while, since its caches are cold. See
docs/decisions/0013-lookups-together-and-lean.md.
"""

import asyncio
from time import perf_counter

LONGEST = 0.0002  # seconds


class BusyPoll:
    """Has the event loop of a process look for arrivals again and again while a question is under way.

    Not for longer than `LONGEST`, not if the last answer took longer, and not without a processor to spare: it would
    keep PostgreSQL from answering.
    """

    def __init__(self, *, has_processor_to_spare: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._has_processor_to_spare = has_processor_to_spare
        self._was_quick = True
        self._until = 0.0
        self._is_polling = False

    def start(self, asked_at: float) -> None:
        """`asked_at`: now, by `perf_counter`."""
        self._until = asked_at + LONGEST
        if self._has_processor_to_spare and self._was_quick and not self._is_polling:
            self._poll()

    def stop(self, asked_at: float) -> None:
        """The answer to the question of then is here."""
        self._was_quick = perf_counter() < asked_at + LONGEST
        self._until = 0.0

    def _poll(self) -> None:
        self._is_polling = perf_counter() < self._until
        if self._is_polling:
            self._loop.call_soon(self._poll)
