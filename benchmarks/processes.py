"""Starts and ends server processes, and measures their CPU time and memory."""

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
_SETTLING = 1.5  # seconds between two measurements of idle memory
_STILL = 1 << 20  # bytes by which idle memory may still change


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def running(
    name: str, command: Sequence[str], environment: Mapping[str, str], port: int, directory: Path = ROOT
) -> Iterator[int]:
    """Run a command in a new process group until the block ends. Yield its process ID once it accepts connections."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**plain_environment(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
        )
        try:
            deadline = time.monotonic() + _START_TIMEOUT
            while not _accepts(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    output.seek(0)
                    message = output.read().decode(errors="replace").strip()
                    raise BenchmarkError(f"{name} did not start: {message}")
                time.sleep(0.02)
            yield process.pid
        finally:
            _end(process)


def plain_environment() -> dict[str, str]:
    """Return the environment without personal settings, so that all servers get the same one, and stop at once."""
    personal = re.compile("PROFILE_LOOKUP_|PG|NODE_|PYTHON(?!PATH$)")
    at_once = {"PROFILE_LOOKUP_STOP_DELAY_SECONDS": "0"}
    return {name: value for name, value in os.environ.items() if not personal.match(name)} | at_once


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
            os.killpg(process.pid, signal.SIGKILL)  # ends the rest of the group
        process.wait()


def cpu_seconds(process_id: int) -> float | None:
    """Return the CPU time of a process and all its descendants, running or ended. None if there is no /proc."""
    family = _family(process_id)
    ticks = sum(sum(map(int, fields[11:15])) for fields in family.values())
    return ticks / os.sysconf("SC_CLK_TCK") if family else None


def memory(process_id: int) -> int | None:
    """Return the memory of a process and its descendants in bytes; shared memory counts once. None without /proc."""
    total = 0
    for member in (family := _family(process_id)):
        with suppress(OSError):  # a process may end in the meantime
            found = re.search(r"^Pss:\s+([0-9]+) kB$", (PROC / str(member) / "smaps_rollup").read_text(), re.MULTILINE)
            total += int(found[1]) << 10 if found else 0
    return total if family else None


def idle_memory(process_id: int) -> int | None:
    """Return the memory of a service after its worker has started and memory no longer changes."""
    before, now = None, memory(process_id)
    while now is not None and (before is None or abs(now - before) > _STILL):
        time.sleep(_SETTLING)
        before, now = now, memory(process_id)
    return now


def resident_memory(process_id: int) -> int | None:
    """Return the resident memory of one process in bytes, with what it shares with others. None without /proc."""
    try:
        status = (PROC / str(process_id) / "status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmRSS:\s+([0-9]+) kB$", status, re.MULTILINE)
    return int(found[1]) << 10 if found else None


def kill(process_id: int) -> None:
    """Kill a process and all its descendants without warning."""
    for member in reversed(_family(process_id)):  # children first, so that none notices that its parent has ended
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def _family(process_id: int) -> dict[int, list[str]]:
    """Return the process and its descendants, each with the fields of its `stat` file after the name."""
    if not (PROC / "self" / "stat").exists():
        return {}
    all_processes: dict[int, list[str]] = {}
    children: dict[int, list[int]] = {}
    for directory in PROC.iterdir():
        with suppress(OSError):  # a process may end in the meantime
            if directory.name.isdecimal():
                # The name of the program is in parentheses and may contain any character.
                fields = (directory / "stat").read_text().rpartition(")")[2].split()
                all_processes[int(directory.name)] = fields
                children.setdefault(int(fields[1]), []).append(int(directory.name))
    family, waiting = {}, [process_id]
    while waiting:
        each = waiting.pop()
        if each in all_processes:
            family[each] = all_processes[each]
        waiting += children.get(each, [])
    return family
