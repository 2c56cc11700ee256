"""The process beside `serve` that works on operations: it is started, watched, and started again when it dies.

It is a process of its own because an import is minutes of Python, in steps of some tens of milliseconds during which
an event loop answers nobody. It reads from a pipe that this process never writes to. However this process ends, also
by `kill -9`, the pipe ends too, and the worker releases the operations that it was working on.
See docs/decisions/0016-a-worker-process.md.
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

NICENESS = 10  # added to this process's own: the worker gets the processor time that lookups leave
LOWEST_PRIORITY = 19  # the highest nice value there is
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds before a restart; doubled each time, until a worker ran longer than that
PATIENCE_AT_THE_END = 10.0  # seconds that a worker has to end; longer than the worker's own timeouts
_POLL_INTERVAL = 0.5  # seconds

log = logging.getLogger(__name__)


@contextmanager
def worker_process(environment: Mapping[str, str]) -> Iterator[None]:
    """Keep a worker process running while the block runs. `environment` holds its settings."""
    has_to_end = threading.Event()
    watcher = threading.Thread(target=_keep_running, args=(environment, has_to_end), name="worker_process")
    watcher.start()
    try:
        yield
    finally:
        has_to_end.set()
        watcher.join()


def end_with_parent() -> None:
    """Send this process SIGTERM as soon as its standard input ends: the process that started it is gone then."""

    def wait_for_end() -> None:
        os.read(sys.stdin.fileno(), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_end, daemon=True).start()


def niceness_below(own: int) -> int:
    """Return the nice value of a worker whose service has the nice value `own`."""
    return min(own + NICENESS, LOWEST_PRIORITY)


def _keep_running(environment: Mapping[str, str], has_to_end: threading.Event) -> None:
    pause = FIRST_WAIT
    while not has_to_end.is_set():
        started_at = time.monotonic()
        try:
            code: int | None = _run_once(environment, has_to_end)
        except OSError as error:  # there is no memory, for example, and may be some a little later
            code = None
            log.warning("worker process could not be started", exc_info=error)
        if not has_to_end.is_set():
            if time.monotonic() - started_at > LONGEST_WAIT:
                pause = FIRST_WAIT
            log.warning("worker process ended", extra={"exit_code": code, "seconds_to_next": pause})
            has_to_end.wait(pause)
            pause = min(2 * pause, LONGEST_WAIT)


def _run_once(environment: Mapping[str, str], has_to_end: threading.Event) -> int:
    """Run a worker until it ends by itself or has to, and return its exit code."""
    with subprocess.Popen(
        # -P: no module is loaded from the working directory, which may hold anything.
        [sys.executable, "-P", "-m", "profile_lookup", "worker", "--beside"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        process_group=0,  # Ctrl-C in a terminal is for this process, which lets requests finish first
    ) as process:
        with suppress(ProcessLookupError):
            own = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, process.pid, niceness_below(own))
        while process.poll() is None and not has_to_end.wait(_POLL_INTERVAL):
            pass
        process.terminate()
        try:
            return process.wait(PATIENCE_AT_THE_END)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
