"""Processes of a service that do not run for a moment, as on a machine that is too busy."""

from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.program.forked import ForkedCommand


def processes_that_serve(service: ForkedCommand) -> list[psutil.Process]:
    """Return the process of a service itself, or those that it supervises. No worker must run beside them."""
    alone = psutil.Process(service.pid)
    return [each for each in alone.children() if "spawn_main" in " ".join(each.cmdline())] or [alone]


@contextmanager
def suspended(process: psutil.Process) -> Iterator[None]:
    """Suspend a process until the end of the block, or until the block resumes it."""
    process.suspend()
    try:
        yield
    finally:
        if process.is_running():
            process.resume()
