"""The directory in which the processes of a service leave what they count, in files of memory maps.

    profile-lookup-metrics-<random>/
    ├── service.lock          held by the service that made the directory
    ├── process-<number>.lock held by the process that has this number
    └── counter_<number>.db … the values of that process

A process takes the first number that is free. So one that is started anew goes on with the files of the one that died:
counters never go backwards, and there are no more files than there were processes at the same time.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter
from itertools import count
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from profile_lookup.files import is_held, open_private, try_lock

ENVIRONMENT = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which prometheus-client, and the other processes of a service, learn the directory."""

_PREFIX = "profile-lookup-metrics-"


@contextmanager
def metrics_directory() -> Iterator[Path]:
    """Yield the directory of this service. Whoever calls this first makes it, and removes it at the end."""
    if ENVIRONMENT in os.environ:
        yield Path(os.environ[ENVIRONMENT])
        return
    _remove_abandoned()
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        directory = Path(name)
        with open_private(directory / "service.lock") as lock:
            try_lock(lock, shared=False)
            os.environ[ENVIRONMENT] = name
            try:
                yield directory
            finally:
                del os.environ[ENVIRONMENT]


def take_number(directory: Path) -> tuple[int, BufferedWriter]:
    """Return a number that no other process has, and the file whose lock this process must keep.

    The gauges of the process that had this number before are removed: it may have been one that measured others.
    """
    for number in count():
        file = open_private(_lock(directory, number))
        if try_lock(file, shared=False):
            mark_process_dead(number, str(directory))  # type: ignore[no-untyped-call]
            return number, file
        file.close()
    raise AssertionError


def numbers_of_the_dead(directory: Path) -> Iterator[int]:
    """Yield the number of each process that has ended. No process takes it meanwhile."""
    for path in directory.glob("process-*.lock"):
        with path.open("r+b") as file:
            if try_lock(file, shared=False):
                yield int(path.stem.partition("-")[2])


def _lock(directory: Path, number: int) -> Path:
    return directory / f"process-{number}.lock"


def _remove_abandoned() -> None:
    """Remove the directories of services of this user that were killed."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        lock = directory / "service.lock"
        with suppress(OSError):  # it may be another user's, or another process may remove it, too
            if directory.lstat().st_uid == os.geteuid() and lock.exists() and not is_held(lock):
                shutil.rmtree(directory)
