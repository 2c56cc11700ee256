"""Files by which processes learn of each other: their locks show which processes live, and they appear complete.

A `flock` belongs to an open file, is inherited by child processes, and ends with the last of them: kill -9 leaves
nothing stale. Process IDs would, since they are reused.
"""

import fcntl
import os
from io import BufferedWriter
from pathlib import Path
from typing import IO


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600. Readers find the old file or the new one, never half of it."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.rename(path)


def open_private(path: Path) -> BufferedWriter:
    """Open a file to append to it; it is created if it is missing, and only its owner may use it."""

    def private(path: str, flags: int) -> int:
        return os.open(path, flags | os.O_NOFOLLOW, 0o600)

    return open(path, "ab", opener=private)


def try_lock(file: IO[bytes], *, shared: bool) -> bool:
    """Lock the file until it is closed, unless another process's lock excludes that. Return whether it is locked."""
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Return whether a process has locked the file for itself alone; a missing file is not locked."""
    try:
        with path.open("r+b") as file:
            return not try_lock(file, shared=True)
    except FileNotFoundError:
        return False


def is_shared(path: Path) -> bool:
    """Return whether processes share the lock on the file; a missing file is not locked."""
    try:
        with path.open("r+b") as file:
            return not try_lock(file, shared=False) and try_lock(file, shared=True)
    except FileNotFoundError:
        return False


def is_held(path: Path) -> bool:
    """Return whether any process has locked the file, alone or with others; a missing file is not locked."""
    try:
        with path.open("r+b") as file:
            return not try_lock(file, shared=False)
    except FileNotFoundError:
        return False
