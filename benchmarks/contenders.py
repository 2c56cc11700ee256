"""The contenders: the product and its peers. Each runs as a separate server on this machine.

All servers are started before the first measurement and keep running. Only one at a time has work; the others wait for
a socket, which takes no measurable time. So each server is as warm as one in use, and rounds can be interleaved without
minutes of starting.
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
from types import MappingProxyType
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import asyncpg

from benchmarks.checkouts import Product, product_here
from benchmarks.compiled_peers import GO, RUST, compiled
from benchmarks.datasets import API_KEY, API_SECRET, Dataset
from benchmarks.errors import BenchmarkError, MissingProgramError
from benchmarks.load import Load, Outcome, Target
from benchmarks.processes import cpu_seconds, free_port, running
from benchmarks.progress import say
from benchmarks.workload import Workload
from profile_lookup.lookup.queries import LOOKUP
from profile_lookup.settings import PREFIX, Settings

PRODUCT, ECHO, NAIVE, FASTIFY, FASTIFY_PARSING, PGBENCH = (
    "profile-lookup", "echo", "naive", "fastify", "fastify-libphonenumber", "pgbench",
)  # fmt: skip
WITH_STANDBY = "with a standby"  # the product, whose lookups go to a standby
PEERS = (ECHO, NAIVE, FASTIFY, FASTIFY_PARSING, GO, RUST, PGBENCH)

ANSWERS_CHECKED = 30
"""The number of answers per contender and kind that are compared before anything is timed."""

_POOL_SIZE = Settings.model_fields["pool_size"].default
_FASTIFY = Path(__file__).parent / "peers" / "fastify"


def authorization(secret: str = API_SECRET, sid: str = API_KEY) -> str:
    return "Basic " + base64.b64encode(f"{sid}:{secret}".encode()).decode()


class Contender(Protocol):
    """A program that can be measured."""

    @property
    def name(self) -> str: ...

    @property
    def dataset(self) -> Dataset: ...

    @property
    def workers(self) -> int: ...

    def check(self, workload: Workload) -> None:
        """Raises `BenchmarkError` if an answer is wrong."""

    def look_up(self, workload: Workload, connections: int, seconds: float, first: int) -> Outcome: ...

    def cpu_seconds(self) -> float | None:
        """Return the CPU time that it has used so far, without that of the database server."""


@dataclass(frozen=True, slots=True)
class Server:
    """A contender that speaks HTTP. `process_id`: the process that was started, the parent of the others."""

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
        for case in workload.cases[:ANSWERS_CHECKED]:
            status, body = post(connection, self._lookup_target(workload), case.body())
            if (status, json.loads(body)) != (HTTPStatus.OK, case.answer()):
                raise BenchmarkError(
                    f"{self.name} at {self.dataset.size} answers {case.value!r} with {status} {body!r} "
                    f"instead of {case.answer()}"
                )
        status, _ = post(connection, self._lookup_target(workload, "a wrong secret"), workload.bodies[0])
        if status != HTTPStatus.UNAUTHORIZED:
            raise BenchmarkError(f"{self.name} answers a wrong secret with {status}")


@contextmanager
def serving(name: str, dataset: Dataset, workers: int, load: Load) -> Iterator[Server]:
    """Start a server, and end it with the block. Raises `MissingProgramError` if it cannot be run on this machine."""
    if name == PRODUCT:
        with serving_product(product_here(name), dataset, workers, load) as server:
            yield server
        return
    port = free_port()
    command, environment = _start_command(name, dataset, port, workers)
    with running(name, command, environment, port) as process_id:
        yield Server(name, dataset, workers, load, port, process_id)


@contextmanager
def serving_product(
    product: Product, dataset: Dataset, workers: int, load: Load, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Server]:
    """Start the product of a checkout, with more settings in its environment, and end it with the block."""
    port = free_port()
    command = product.command("serve", "--port", str(port), "--workers", str(workers))
    environment = {**product.environment, **settings, f"{PREFIX}DATABASE_URL": dataset.database_url}
    with running(product.name, command, environment, port, product.root) as process_id:
        yield Server(product.name, dataset, workers, load, port, process_id)


def _start_command(name: str, dataset: Dataset, port: int, workers: int) -> tuple[Sequence[str], Mapping[str, str]]:
    url = urlsplit(dataset.database_url)
    (host,) = parse_qs(url.query)["host"]
    environment = {
        "PGPASSWORD": url.password or "",
        "PEER_PORT": str(port),
        "PEER_WORKERS": str(workers),
        "PEER_DATABASE_HOST": host,
        "PEER_DATABASE": dataset.database,
        "PEER_POOL_SIZE": str(_POOL_SIZE),
    }
    if name in (GO, RUST):
        return [str(compiled(name))], environment | {"PEER_LOOKUP_SQL": LOOKUP}
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
    """Return the path of Node, after installing the packages that the peer's lock file names."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise MissingProgramError("node and npm are not installed")
    installed = _FASTIFY / "node_modules" / ".package-lock.json"
    lock = _FASTIFY / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        say("Installing Fastify …")
        command = [npm, "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts"]
        process = subprocess.run(command, cwd=_FASTIFY, capture_output=True, text=True, check=False)
        if process.returncode != 0:
            raise MissingProgramError(f"npm ci failed: {process.stderr.strip()}")
    return node


def post(connection: http.client.HTTPConnection, target: Target, body: bytes) -> tuple[int, bytes]:
    headers = {"Authorization": target.authorization, "Content-Type": "application/json"}
    connection.request("POST", target.path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def postmaster(database_url: str) -> int:
    """Return the process ID of the database server, the parent of all processes that serve a connection."""

    async def fetch() -> int:
        connection = await asyncpg.connect(database_url)
        try:
            return int(await connection.fetchval("select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)"))
        finally:
            await connection.close()

    return asyncio.run(fetch())


class CpuMeter:
    """Measures the CPU time of a server and of PostgreSQL between two moments."""

    def __init__(self, postgres: int) -> None:
        self._postgres = postgres

    def start(self, server: Server) -> None:
        self._server = server
        self._before = self._used()

    def stop(self) -> tuple[float | None, float | None]:
        mine, postgres = (
            None if before is None or after is None else after - before
            for before, after in zip(self._before, self._used(), strict=True)
        )
        return mine, postgres

    def _used(self) -> tuple[float | None, float | None]:
        return self._server.cpu_seconds(), cpu_seconds(self._postgres)
