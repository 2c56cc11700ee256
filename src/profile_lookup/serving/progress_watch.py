"""Notices clients that send a request too slowly."""

import asyncio
import math
from collections.abc import Callable
from typing import NamedTuple

CHECKS = 2  # in each period; a client fails only if all find no progress, since the first may come just after a pause


class Pace(NamedTuple):
    """How a client has to send: at least `bytes` in every period of `seconds`."""

    seconds: float
    bytes: float


WHOLE_HEAD = Pace(10.0, math.inf)
"""The head of a request has to be whole after so many seconds, however much of it arrives."""

CROWDED_HEAD = Pace(2.0, math.inf)
"""As above, if the client's address has too many connections."""

BODY = Pace(10.0, 2048)


class ProgressWatch:
    """Watches one connection. Whoever receives bytes adds their number to `received`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.received = 0
        self.is_running = False
        self._loop = loop

    def start(self, pace: Pace, is_excused: Callable[[], bool], on_timeout: Callable[[], None]) -> None:
        """Call `on_timeout` if the client is too slow. Time while `is_excused` returns true does not count."""
        self.is_running = True
        self._pace = pace
        self._is_excused: Callable[[], bool] | None = is_excused
        self._on_timeout: Callable[[], None] | None = on_timeout
        self._failed_checks = 0
        self._schedule()

    def stop(self) -> None:
        """Stop, and drop the references to the connection, so that it is freed without the garbage collector."""
        if self.is_running:
            self.is_running = False
            self._is_excused = self._on_timeout = None
            self._timer.cancel()

    def _schedule(self) -> None:
        self._received_before = self.received
        self._timer = self._loop.call_later(self._pace.seconds / CHECKS, self._check)

    def _check(self) -> None:
        assert self._is_excused is not None
        assert self._on_timeout is not None
        if self.received - self._received_before >= self._pace.bytes / CHECKS:
            self._failed_checks = 0
        elif not self._is_excused():
            self._failed_checks += 1
        if self._failed_checks < CHECKS:
            self._schedule()
            return
        on_timeout = self._on_timeout
        self.stop()
        on_timeout()
