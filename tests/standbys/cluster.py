"""A primary and its standbys: real servers, made of the embedded server's programs, which a test may pause or kill."""

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from profile_lookup.database.embedded.directories import package
from profile_lookup.database.embedded.guard import _programs
from profile_lookup.database.embedded.server_account import account_of, account_with_user, give
from profile_lookup.database.migrations import migrate
from tests.conftest import PATIENCE

SUPERUSER = "postgres"
SERVICE = "service"
"""The role of the service, which is no superuser."""
PLAIN = "plain_service"
"""A role that may not see which timeline a standby follows."""
DATABASE = "profiles"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "16MB",
    "fsync": "off",
    "max_connections": "100",
    "hot_standby_feedback": "on",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "100ms",
    "log_min_messages": "fatal",
}


@dataclass
class Server:
    """One server of a cluster. `settings` are PostgreSQL's, by name."""

    programs: Path
    account: dict[str, Any]
    data: Path
    port: int
    settings: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def url(self, role: str = SERVICE, database: str = DATABASE) -> str:
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = [f"--{name}={value}" for name, value in (_SETTINGS | self.settings).items()]
        with (self.data.parent / f"{self.data.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, "-p", str(self.port), *options],
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.account,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while not (self.data / "postmaster.pid").exists() or "ready" not in (self.data / "postmaster.pid").read_text():
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill the server and all its processes with SIGKILL, as a host that loses its power does."""
        assert self.process is not None
        for each in self._processes():
            with suppress(psutil.NoSuchProcess):
                each.kill()
        self.process.wait()

    def pause(self) -> None:
        """Stop all processes of the server: it is silent, and its connections stay open."""
        for each in self._processes():
            with suppress(psutil.NoSuchProcess):
                each.suspend()

    def resume(self) -> None:
        for each in self._processes():
            with suppress(psutil.NoSuchProcess):
                each.resume()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.resume()
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()

    async def execute(self, statement: str) -> Any:
        """Run a statement as superuser and return its first value."""
        connection = await asyncpg.connect(self.url(SUPERUSER))
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    async def promote(self) -> None:
        await self.execute("select pg_promote()")

    def _processes(self) -> Sequence[psutil.Process]:
        assert self.process is not None
        postmaster = psutil.Process(self.process.pid)
        return [postmaster, *postmaster.children(recursive=True)]


@dataclass
class Cluster:
    primary: Server
    standbys: Sequence[Server]

    @property
    def standby_urls(self) -> str:
        return ",".join(standby.url() for standby in self.standbys)


@contextmanager
def running_cluster(standbys: int, *, settings: dict[str, str] | None = None) -> Iterator[Cluster]:
    """Yield a primary with a migrated database, and its standbys. `settings` are those of all servers."""
    with tempfile.TemporaryDirectory(prefix="cluster-", dir=_memory()) as path:
        directory = Path(path)
        directory.chmod(0o711)  # if root runs the tests, PostgreSQL runs as another user, who must be able to enter
        account = account_with_user(account_of(directory / "none"))
        programs = _programs(package(), directory, account)
        servers = [
            Server(programs, account, _private(directory / name, account), free_port(), settings or {})
            for name in ("primary", *(f"standby{number}" for number in range(1, standbys + 1)))
        ]
        primary, *others = servers
        _run(primary, "initdb", "-D", primary.data, "-U", SUPERUSER, "-A", "trust", "--no-sync", "--encoding=UTF8")
        try:
            primary.start()
            _make_database(primary)
            for standby in others:
                copy_of(primary, standby)
                standby.start()
            yield Cluster(primary, others)
        finally:
            for server in servers:
                server.stop()


def copy_of(primary: Server, standby: Server) -> None:
    """Make the standby a copy of the primary, which it will follow. Its name is that of its directory."""
    source = f"host=127.0.0.1 port={primary.port} user={SUPERUSER} application_name={standby.data.name}"
    _run(standby, "pg_basebackup", "-D", standby.data, "-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync")


def _make_database(server: Server) -> None:
    for statement in (
        f"create role {SERVICE} login",
        f"grant pg_read_all_stats to {SERVICE}",
        f"create role {PLAIN} login",
        f"create database {DATABASE} owner {SERVICE}",
    ):
        _run(server, "psql", "-d", server.url(SUPERUSER, "postgres"), "-X", "-q", "-c", statement)
    migrate(server.url())


def _run(server: Server, program: str, *arguments: str | Path) -> None:
    command = [server.programs / program, *arguments]
    subprocess.run(command, cwd="/", check=True, capture_output=True, **server.account)


def _private(directory: Path, account: dict[str, Any]) -> Path:
    directory.mkdir(0o700)
    give(directory, account)
    return directory


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
