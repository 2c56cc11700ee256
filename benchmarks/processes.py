"""Processes that serve: started, awaited, asked for their CPU time, ended."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.errors import BenchmarkError

ROOT = Path(__file__).resolve().parents[1]
PROC = Path("/proc")

_START_TIMEOUT = 60.0  # seconds
_STOP_TIMEOUT = 30.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def running(name: str, command: Sequence[str], environment: Mapping[str, str], port: int) -> Iterator[int]:
    """The process ID, once it takes connections on the port. In a group of its own, which ends with the block."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**_plain_environment(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            process_group=0,
        )
        try:
            deadline = time.monotonic() + _START_TIMEOUT
            while not _accepts(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    said.seek(0)
                    words = said.read().decode(errors="replace").strip()
                    raise BenchmarkError(f"{name} did not start: {words}")
                time.sleep(0.02)
            yield process.pid
        finally:
            _end(process)


def _plain_environment() -> dict[str, str]:
    """Without settings of whoever runs this: all servers get the same, and only what they need."""
    return {name: value for name, value in os.environ.items() if not re.match("PROFILE_LOOKUP_|PG|NODE_", name)}


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whatever of the group is left
        process.wait()


def cpu_seconds(process_id: int) -> float | None:
    """User and system time of a process and all its descendants, living or awaited. None where there is no /proc."""
    if not (PROC / "self" / "stat").exists():
        return None
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for directory in PROC.iterdir():
        with suppress(OSError):  # it may end while we look
            if directory.name.isdecimal():
                # The name of the program is in parentheses and may hold anything.
                fields = (directory / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(directory.name))
                ticks[int(directory.name)] = sum(map(int, fields[11:15]))
    total, waiting = 0, [process_id]
    while waiting:
        each = waiting.pop()
        total += ticks.get(each, 0)
        waiting += children.get(each, [])
    return total / os.sysconf("SC_CLK_TCK")
