"""Ends a process when the one that started it is gone, even if that was killed by `kill -9`.

Each waits for the end of a pipe. Only the process that started it has the other end, which the kernel then closes.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

_TIME_TO_END = 1.5  # seconds; it is short, because a new service may need the address soon


def end_with_supervisor() -> None:
    """End this process, one of several that serve, as soon as their supervisor is gone."""
    supervisor = multiprocessing.parent_process()
    assert supervisor is not None
    _in_background(supervisor.join, time_to_end=_TIME_TO_END)


def end_with_service() -> None:
    """End this process, which works on operations for a service, as soon as that is gone."""
    _in_background(_wait_for_end_of_input, time_to_end=_TIME_TO_END)


def end_with_input() -> None:
    """Send this process SIGTERM as soon as its standard input ends."""
    _in_background(_wait_for_end_of_input, time_to_end=None)


def _wait_for_end_of_input() -> None:
    os.read(sys.stdin.fileno(), 1)


def _in_background(wait: Callable[[], object], *, time_to_end: float | None) -> None:
    """Send this process SIGTERM when `wait` returns, and end it after so many seconds if it has not ended by itself."""

    def end() -> None:
        wait()
        os.kill(os.getpid(), signal.SIGTERM)
        if time_to_end is not None:
            time.sleep(time_to_end)
            os._exit(1)

    threading.Thread(target=end, daemon=True).start()
