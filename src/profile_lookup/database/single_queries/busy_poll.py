"""Waits for an answer without sleeping, if it is about to arrive.

While nothing arrives, an event loop sleeps. Waking up takes a process longer than PostgreSQL on the same machine takes
to answer; and then the process runs half as fast for a while, since its caches are cold. See
docs/decisions/0013-lookups-together-and-lean.md.
"""

import asyncio
from time import perf_counter

LONGEST = 0.0002  # seconds


class BusyPoll:
    """Makes the event loop of a process check for arrivals again and again while a query is run.

    It does so for at most `LONGEST`, and only if the last answer did not take longer and there is a processor to spare:
    otherwise it would keep PostgreSQL from answering.
    """

    def __init__(self, *, has_processor_to_spare: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._has_processor_to_spare = has_processor_to_spare
        self._started_at = 0.0
        self._was_quick = True
        self._is_wanted = False
        self._is_polling = False

    def start(self) -> None:
        """Start polling, because a query was sent just now."""
        self._started_at = perf_counter()
        self._is_wanted = self._has_processor_to_spare and self._was_quick
        if self._is_wanted and not self._is_polling:
            self._poll()

    def stop(self) -> None:
        """Stop polling, because the answer has arrived."""
        self._was_quick = perf_counter() < self._started_at + LONGEST
        self._is_wanted = False

    def _poll(self) -> None:
        self._is_polling = self._is_wanted and perf_counter() < self._started_at + LONGEST
        if self._is_polling:
            self._loop.call_soon(self._poll)
