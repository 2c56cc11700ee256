"""Who takes part: the product and its peers, each a server of its own on this machine.

All are started before the first measurement and stay up; one at a time has work, the others wait for a socket, which
takes no measurable time. So each is as warm as a server in use is, and rounds can be interleaved without minutes of
starting.
"""

import asyncio
import base64
import http.client
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import asyncpg

from benchmarks.datasets import API_KEY, API_SECRET, Dataset
from benchmarks.errors import BenchmarkError, MissingProgramError
from benchmarks.load import Load, Outcome, Target
from benchmarks.processes import cpu_seconds, free_port, running
from benchmarks.progress import say
from benchmarks.workload import Workload
from profile_lookup.settings import PREFIX, Settings

PRODUCT, ECHO, NAIVE, FASTIFY, FASTIFY_PARSING, PGBENCH = (
    "profile-lookup", "echo", "naive", "fastify", "fastify-libphonenumber", "pgbench",
)  # fmt: skip
PEERS = (ECHO, NAIVE, FASTIFY, FASTIFY_PARSING, PGBENCH)

CHECKED = 30
"""Answers of each contender and kind that are compared before anything is timed."""

_POOL_SIZE = Settings.model_fields["pool_size"].default
_FASTIFY = Path(__file__).parent / "peers" / "fastify"


def authorization(secret: str = API_SECRET) -> str:
    return "Basic " + base64.b64encode(f"{API_KEY}:{secret}".encode()).decode()


class Contender(Protocol):
    """Who can be measured."""

    @property
    def name(self) -> str: ...

    @property
    def dataset(self) -> Dataset: ...

    @property
    def workers(self) -> int: ...

    def check(self, workload: Workload) -> None:
        """Raises `BenchmarkError` when an answer is not what it must be."""

    def look_up(self, workload: Workload, connections: int, seconds: float, first: int) -> Outcome: ...

    def cpu_seconds(self) -> float | None:
        """What it has used so far; without what the database server does for it."""


@dataclass(frozen=True, slots=True)
class Server:
    """A contender that speaks HTTP. `process_id`: of the process that was started, mother of others."""

    name: str
    dataset: Dataset
    workers: int
    load: Load
    port: int
    process_id: int

    def check(self, workload: Workload) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with closing(connection):
            if self.name == ECHO:
                self._check_size(connection, workload)
            else:
                self._check_answers(connection, workload)

    def look_up(self, workload: Workload, connections: int, seconds: float, first: int) -> Outcome:
        return self.load.run(self._lookup_target(workload), workload.bodies, connections, seconds, first)

    def write(self, bodies: Sequence[bytes], connections: int, seconds: float) -> Outcome:
        return self.load.run(self.write_target(), bodies, connections, seconds, 0)

    def write_target(self) -> Target:
        return Target(self.port, f"{self.dataset.store_path}/Profiles", authorization())

    def cpu_seconds(self) -> float | None:
        return cpu_seconds(self.process_id)

    def _lookup_target(self, workload: Workload, secret: str = API_SECRET) -> Target:
        query = f"?{workload.answer_size}" if self.name == ECHO else ""
        return Target(self.port, f"{self.dataset.store_path}/Profiles/Lookup{query}", authorization(secret))

    def _check_size(self, connection: http.client.HTTPConnection, workload: Workload) -> None:
        _, body = post(connection, self._lookup_target(workload), workload.bodies[0])
        if len(body) != workload.answer_size:
            raise BenchmarkError(f"{self.name} answers {len(body)} bytes instead of {workload.answer_size}")

    def _check_answers(self, connection: http.client.HTTPConnection, workload: Workload) -> None:
        for question in workload.questions[:CHECKED]:
            status, body = post(connection, self._lookup_target(workload), question.body())
            if (status, json.loads(body)) != (HTTPStatus.OK, question.answer()):
                raise BenchmarkError(
                    f"{self.name} at {self.dataset.size} answers {question.value!r} with {status} {body!r} "
                    f"instead of {question.answer()}"
                )
        status, _ = post(connection, self._lookup_target(workload, "a wrong secret"), workload.bodies[0])
        if status != HTTPStatus.UNAUTHORIZED:
            raise BenchmarkError(f"{self.name} answers a wrong secret with {status}")


@contextmanager
def serving(name: str, dataset: Dataset, workers: int, load: Load) -> Iterator[Server]:
    """Raises `MissingProgramError` when it cannot be run on this machine."""
    port = free_port()
    command, environment = _how_to_start(name, dataset, port, workers)
    with running(name, command, environment, port) as process_id:
        yield Server(name, dataset, workers, load, port, process_id)


def _how_to_start(name: str, dataset: Dataset, port: int, workers: int) -> tuple[Sequence[str], Mapping[str, str]]:
    if name == PRODUCT:
        command = [sys.executable, "-m", "profile_lookup", "serve", "--port", str(port), "--workers", str(workers)]
        return command, {f"{PREFIX}DATABASE_URL": dataset.database_url}
    (host,) = parse_qs(urlsplit(dataset.database_url).query)["host"]
    environment = {
        "PEER_PORT": str(port),
        "PEER_WORKERS": str(workers),
        "PEER_DATABASE_HOST": host,
        "PEER_DATABASE": dataset.database,
        "PEER_POOL_SIZE": str(_POOL_SIZE),
    }
    if name in (FASTIFY, FASTIFY_PARSING):
        environment |= {"NODE_ENV": "production", "PEER_PHONES": "libphonenumber" if name == FASTIFY_PARSING else ""}
        return [_installed_node(), str(_FASTIFY / "server.js")], environment
    application = {ECHO: "benchmarks.peers.echo:app", NAIVE: "benchmarks.peers.naive.app:app"}[name]
    command = [
        sys.executable, "-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port),
        "--workers", str(workers), "--loop", "uvloop", "--http", "httptools", "--ws", "none", "--backlog", "2048",
        "--no-access-log", "--no-server-header", "--log-level", "warning",
    ]  # fmt: skip
    return command, environment


def _installed_node() -> str:
    """Node, with what the peer needs installed as its lock says."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise MissingProgramError("node and npm are not installed")
    installed = _FASTIFY / "node_modules" / ".package-lock.json"
    lock = _FASTIFY / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        say("Installing Fastify …")
        command = [npm, "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=_FASTIFY, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MissingProgramError(f"npm ci failed: {done.stderr.strip()}")
    return node


def post(connection: http.client.HTTPConnection, target: Target, body: bytes) -> tuple[int, bytes]:
    headers = {"Authorization": target.authorization, "Content-Type": "application/json"}
    connection.request("POST", target.path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def postmaster(database_url: str) -> int:
    """The process ID of the database server, mother of all that serve a connection."""

    async def ask() -> int:
        connection = await asyncpg.connect(database_url)
        try:
            return int(await connection.fetchval("select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)"))
        finally:
            await connection.close()

    return asyncio.run(ask())
