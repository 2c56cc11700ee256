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
    family = _family(process_id)
    ticks = sum(sum(map(int, fields[11:15])) for fields in family.values())
    return ticks / os.sysconf("SC_CLK_TCK") if family else None


def memory(process_id: int) -> int | None:
    """Bytes of a process and all its descendants, those that they share counted once. None where there is no /proc."""
    total = 0
    for member in (family := _family(process_id)):
        with suppress(OSError):  # it may end while we look
            found = re.search(r"^Pss:\s+([0-9]+) kB$", (PROC / str(member) / "smaps_rollup").read_text(), re.MULTILINE)
            total += int(found[1]) << 10 if found else 0
    return total if family else None


def kill(process_id: int) -> None:
    """A process and all its descendants, at once and without any warning."""
    for member in reversed(_family(process_id)):  # none of which notices that its mother is gone
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def _family(process_id: int) -> dict[int, list[str]]:
    """The process and all its descendants, each with the fields of its `stat` after the name."""
    if not (PROC / "self" / "stat").exists():
        return {}
    everybody: dict[int, list[str]] = {}
    children: dict[int, list[int]] = {}
    for directory in PROC.iterdir():
        with suppress(OSError):  # it may end while we look
            if directory.name.isdecimal():
                # The name of the program is in parentheses and may hold anything.
                fields = (directory / "stat").read_text().rpartition(")")[2].split()
                everybody[int(directory.name)] = fields
                children.setdefault(int(fields[1]), []).append(int(directory.name))
    family, waiting = {}, [process_id]
    while waiting:
        each = waiting.pop()
        if each in everybody:
            family[each] = everybody[each]
        waiting += children.get(each, [])
    return family
