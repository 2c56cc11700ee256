"""The process beside `serve` that works on operations: started, watched, and started anew when it dies.

A process of its own, since an import is minutes of Python, some tens of milliseconds a step, in which an event loop
answers nobody. It holds the other end of a pipe that this process never writes to: however this process ends, also by
`kill -9`, the pipe ends, and the other one gives back what it was doing. See docs/decisions/0016-a-worker-process.md.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

NICENESS = 10  # it takes what lookups leave of a processor
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds before it is started anew: twice as long each time, unless it ran longer
PATIENCE_AT_THE_END = 10.0  # seconds; longer than the worker's own
_LOOK = 0.5  # seconds

log = logging.getLogger(__name__)


@contextmanager
def worker_process(environment: Mapping[str, str]) -> Iterator[None]:
    """While the block runs. `environment` holds its settings."""
    has_to_end = threading.Event()
    watcher = threading.Thread(target=_watch, args=(environment, has_to_end), name="worker_process")
    watcher.start()
    try:
        yield
    finally:
        has_to_end.set()
        watcher.join()


def end_with_parent() -> None:
    """In the process that was started: take the end of the pipe for SIGTERM."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _watch(environment: Mapping[str, str], has_to_end: threading.Event) -> None:
    pause = FIRST_WAIT
    while not has_to_end.is_set():
        started_at = time.monotonic()
        try:
            code: int | None = _run(environment, has_to_end)
        except OSError as error:  # no memory, say: there may be some a little later
            code = None
            log.warning("worker process could not be started", exc_info=error)
        if not has_to_end.is_set():
            if time.monotonic() - started_at > LONGEST_WAIT:
                pause = FIRST_WAIT
            log.warning("worker process ended", extra={"exit_code": code, "seconds_to_next": pause})
            has_to_end.wait(pause)
            pause = min(2 * pause, LONGEST_WAIT)


def _run(environment: Mapping[str, str], has_to_end: threading.Event) -> int:
    """Once, until it ends by itself or has to. Gives its exit code."""
    with subprocess.Popen(
        # Without the working directory on the path, which may hold anything.
        [sys.executable, "-P", "-m", "profile_lookup", "worker", "--beside"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        process_group=0,  # Ctrl-C in a terminal is for this process, which lets requests finish first
    ) as process:
        with suppress(ProcessLookupError):
            # Never higher than this process, which may be low itself: the system would refuse that.
            niceness = max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0))
            os.setpriority(os.PRIO_PROCESS, process.pid, niceness)
        while process.poll() is None and not has_to_end.wait(_LOOK):
            pass
        process.terminate()
        try:
            return process.wait(PATIENCE_AT_THE_END)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
