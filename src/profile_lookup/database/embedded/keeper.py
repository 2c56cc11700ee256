"""Starts the embedded PostgreSQL again when it has ended, and ends this process if that does not help.

PostgreSQL ends by itself if it is killed, if there is no memory, or if its log does not fit on the disk.
"""

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from profile_lookup.database.embedded.errors import EmbeddedPostgresError
from profile_lookup.database.embedded.server import EmbeddedPostgres

MOST_RESTARTS = 5  # in a minute
_MINUTE = 60.0  # seconds
_POLL_INTERVAL = 0.2  # seconds
_PAUSE_AFTER_FAILURE = 1.0  # seconds, in which memory or space may become free
_START_TIMEOUT = 10.0  # seconds; a recovery that takes longer goes on without us

log = logging.getLogger(__name__)


@contextmanager
def kept_running(server: EmbeddedPostgres, *, most_restarts: int = MOST_RESTARTS) -> Iterator[None]:
    """Start the server again whenever it has ended while the block runs, at most so many times in a minute.

    After that, send this process SIGTERM, and raise `EmbeddedPostgresError` at the end of the block, so that the
    process ends with an exit code that whoever supervises it sees.
    """
    keeper = _Keeper(server, most_restarts)
    thread = threading.Thread(target=keeper.run, name="embedded_postgres_keeper")
    thread.start()
    try:
        yield
    finally:
        keeper.has_to_end.set()
        thread.join()
        if keeper.reason_to_give_up is not None:
            raise EmbeddedPostgresError(keeper.reason_to_give_up)


class _Keeper:
    def __init__(self, server: EmbeddedPostgres, most_restarts: int) -> None:
        self.has_to_end = threading.Event()
        self.reason_to_give_up: str | None = None
        self._server = server
        self._most_restarts = most_restarts
        self._restarted_at: deque[float] = deque()
        self._failure = f"PostgreSQL has ended: see {server.log}"

    def run(self) -> None:
        while not self.has_to_end.wait(_POLL_INTERVAL):
            if self._server.has_ended():
                if self._has_restarted_too_often():
                    self.reason_to_give_up = self._failure
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
                self._restart()

    def _has_restarted_too_often(self) -> bool:
        a_minute_ago = time.monotonic() - _MINUTE
        while self._restarted_at and self._restarted_at[0] < a_minute_ago:
            self._restarted_at.popleft()
        return len(self._restarted_at) >= self._most_restarts

    def _restart(self) -> None:
        self._restarted_at.append(time.monotonic())
        try:
            self._server.restart(_START_TIMEOUT)
        except EmbeddedPostgresError as error:
            self._failure = str(error)
            log.warning("embedded PostgreSQL ended and did not start again", extra={"reason": self._failure})
            self.has_to_end.wait(_PAUSE_AFTER_FAILURE)
        else:
            log.warning("embedded PostgreSQL ended and was started again")
