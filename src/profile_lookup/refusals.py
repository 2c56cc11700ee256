"""What the service does when it answers 503: it logs why, and does not read the client for a moment.

See docs/decisions/0034-overload.md.
"""

import asyncio
import logging

from profile_lookup.errors import Overloaded, Unavailable

REFUSALS_PER_SECOND = 200
"""The pace at which connections whose requests were refused are read again, unless that would take too long."""
SHORTEST_PAUSE = 0.1  # seconds
LONGEST_PAUSE = 1.0  # seconds, which `Retry-After` announces

log = logging.getLogger(__name__)


class Refusals:
    """Logs refusals in one line a second, and decides how long the connection of a refused client is not read."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._unlogged: dict[type[Unavailable], int] = {}
        self._next_reading = 0.0

    def log(self, error: Unavailable, request_id: str) -> None:
        """Log the first refusal with its cause; count those of the next second, and log their number."""
        kind = type(error)
        if kind in self._unlogged:
            self._unlogged[kind] += 1
            return
        cause = None if isinstance(error, Overloaded) else error
        log.warning(_event(kind), exc_info=cause, extra={"request_id": request_id, "refused": 1})
        self._count(kind)

    def pause(self) -> float:
        """Return for how many seconds a refused client's connection is not read."""
        now = self._loop.time()
        paced = max(self._next_reading + 1 / REFUSALS_PER_SECOND, now + SHORTEST_PAUSE)
        self._next_reading = min(paced, now + LONGEST_PAUSE)
        return self._next_reading - now

    def _count(self, kind: type[Unavailable]) -> None:
        self._unlogged[kind] = 0
        self._loop.call_later(1.0, self._log_count, kind)

    def _log_count(self, kind: type[Unavailable]) -> None:
        count = self._unlogged.pop(kind)
        if count:
            log.warning(_event(kind), extra={"refused": count})
            self._count(kind)


def _event(kind: type[Unavailable]) -> str:
    return "overloaded" if issubclass(kind, Overloaded) else "unavailable"
