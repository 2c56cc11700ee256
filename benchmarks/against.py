"""Measures the product of this checkout against that of another commit, round by round in one run.

A second server of this checkout's product takes part. How much the same code differs from itself shows which
differences mean something.
"""

import http.client
import itertools
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

from benchmarks import csv_files, importing
from benchmarks.checkouts import Product, dataset_of, product_here, product_of
from benchmarks.comparison import AGAIN, HERE, Comparison
from benchmarks.contenders import CpuMeter, Server, postmaster, serving_product
from benchmarks.datasets import Dataset, embedded_postgres, migrations_of
from benchmarks.errors import BenchmarkError
from benchmarks.load import Load, Outcome
from benchmarks.processes import cpu_seconds, free_port, idle_memory, plain_environment, resident_memory, running
from benchmarks.progress import say
from benchmarks.workload import REQUESTS, Workload
from benchmarks.write_database import WRITES, WriteDatabase
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.settings import PREFIX

_STRIDE = 20_011
"""By how many requests the start of each measurement moves, so that it does not repeat recent requests."""

_WRITE_CONNECTIONS = 32
_MEBIBYTE = 1 << 20

Each = TypeVar("Each")


@dataclass(frozen=True, slots=True)
class AgainstOptions:
    revision: str
    parts: tuple[str, ...]
    size: str
    connections: tuple[int, ...]
    rows: int
    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Run:
    options: AgainstOptions
    load: Load
    data: Path
    products: Sequence[Product]
    comparison: Comparison

    def turns(self, part: str, contenders: Sequence[Each]) -> Iterator[tuple[int, Each]]:
        """Yield the number of each round with each contender, in an order that rotates."""
        for round_ in range(self.options.rounds):
            say(f"Round {round_ + 1} of {self.options.rounds}: {part}")
            turn = round_ % len(contenders)
            for contender in (*contenders[turn:], *contenders[:turn]):
                yield round_, contender

    def datasets(self, postgres: EmbeddedPostgres, purpose: str) -> dict[str, Dataset]:
        """Return the database of each product, by its name."""
        here, other, _ = self.products
        dataset = dataset_of(here, postgres, self.data, purpose, self.options.size)
        is_shared = migrations_of(other.root) == migrations_of(here.root)
        of_other = dataset if is_shared else dataset_of(other, postgres, self.data, purpose, self.options.size)
        return {HERE: dataset, other.name: of_other, AGAIN: dataset}

    def start_servers(self, stack: ExitStack, datasets: Mapping[str, Dataset]) -> list[Server]:
        servers = (serving_product(each, datasets[each.name], 1, self.load) for each in self.products)
        return [stack.enter_context(server) for server in servers]

    def add_load(
        self, what: str, server: Server, round_: int, outcome: Outcome, cpu: float | None, postgres_cpu: float | None
    ) -> None:
        """Add the figures of a measurement under load. Raises `BenchmarkError` if a request failed."""
        if outcome.failed or not outcome.requests:
            raise BenchmarkError(f"{server.name}: {outcome.failed} of {outcome.requests} requests failed")
        self.comparison.add(f"{what}: req/s", server.name, round_, outcome.requests / outcome.seconds)
        if cpu is not None and postgres_cpu is not None:
            for name, seconds in (("server", cpu), ("PostgreSQL", postgres_cpu), ("both", cpu + postgres_cpu)):
                self.comparison.add(
                    f"{what}: CPU-s per 1000, {name}", server.name, round_, seconds / outcome.requests * 1000
                )


def measure_against(options: AgainstOptions, load: Load, data: Path, comparison: Comparison) -> None:
    """Measure the selected parts. Each figure is added at once."""
    other = product_of(options.revision, data / "commits")
    comparison.others = [other.name]
    run = _Run(options, load, data, (product_here(HERE), other, product_here(AGAIN)), comparison)
    for part in options.parts:
        PARTS[part](run)


def _lookups(run: _Run) -> None:
    with ExitStack() as stack:
        database = stack.enter_context(embedded_postgres(run.data))
        datasets = run.datasets(database, "lookups")
        workload = Workload(datasets[HERE].population, "phones", "uniform")
        servers = run.start_servers(stack, datasets)
        meter = CpuMeter(postmaster(database.url_as(SUPERUSER)))
        for server in servers:
            server.check(workload)
        for server, connections in itertools.product(servers, run.options.connections):
            server.look_up(workload, connections, run.options.seconds, REQUESTS // 2)  # warm-up
        for connections in run.options.connections:
            what = f"lookups, {connections} connection{'s' * (connections > 1)}"
            for round_, server in run.turns(what, servers):
                meter.start(server)
                outcome = server.look_up(workload, connections, run.options.seconds, round_ * _STRIDE)
                run.add_load(what, server, round_, outcome, *meter.stop())


def _writes(run: _Run) -> None:
    with ExitStack() as stack:
        postgres = stack.enter_context(embedded_postgres(run.data))
        datasets = run.datasets(postgres, "writes")
        by_url = {each.database_url: WriteDatabase(each, run.options.seconds) for each in datasets.values()}
        databases = {name: by_url[dataset.database_url] for name, dataset in datasets.items()}
        servers = run.start_servers(stack, datasets)
        meter = CpuMeter(postmaster(postgres.url_as(SUPERUSER)))
        for server in servers:
            databases[server.name].race(server)
        for server, kind in itertools.product(servers, WRITES):
            database = databases[server.name]
            database.write(server, kind, database.batch(kind, _WRITE_CONNECTIONS))  # warm-up
        for kind in WRITES:
            what = f"{kind}, {_WRITE_CONNECTIONS} connections"
            for round_, server in run.turns(what, servers):
                database = databases[server.name]
                batch = database.batch(kind, _WRITE_CONNECTIONS)
                meter.start(server)
                outcome = database.write(server, kind, batch)
                run.add_load(what, server, round_, outcome, *meter.stop())
                database.check(server, kind, batch, outcome)


def _start(run: _Run) -> None:
    """Measure how long `serve` takes on its own embedded database, which exists already, and `--version`."""
    with tempfile.TemporaryDirectory(dir=run.data) as directory:
        Path(directory).chmod(0o711)  # the unprivileged user of a database server passes through
        databases = {product.name: Path(directory) / str(number) for number, product in enumerate(run.products)}
        for product in run.products:
            _measure_start(product, databases[product.name])  # it creates the database
            _measure_version(product)
        for round_, product in run.turns("start", run.products):
            for what, value in (
                *_measure_start(product, databases[product.name]).items(),
                *_measure_version(product).items(),
            ):
                run.comparison.add(what, product.name, round_, value)


def _measure_start(product: Product, database: Path) -> Mapping[str, float | None]:
    """Measure the time from the command to the first answer of the service."""
    port = free_port()
    command = product.command("serve", "--port", str(port))
    environment = {**product.environment, f"{PREFIX}DATA_DIR": str(database)}
    started_at = time.monotonic()
    with (
        running(product.name, command, environment, port, product.root) as process,
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection,
    ):
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
        figures = {"start: s": time.monotonic() - started_at, "start: CPU-s": cpu_seconds(process)}
    if status != HTTPStatus.OK:
        raise BenchmarkError(f"{product.name} answers {status} at its start")
    return figures


def _measure_version(product: Product) -> Mapping[str, float | None]:
    environment = {**plain_environment(), **product.environment}
    used_before, started_at = _cpu_of_children(), time.monotonic()
    subprocess.run(product.command("--version"), cwd=product.root, env=environment, capture_output=True, check=True)
    return {"--version: s": time.monotonic() - started_at, "--version: CPU-s": _cpu_of_children() - used_before}


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(run: _Run) -> None:
    with embedded_postgres(run.data) as database:
        datasets = run.datasets(database, "lookups")
        for round_, product in run.turns("memory", run.products):
            with serving_product(product, datasets[product.name], 1, run.load) as server:
                whole = idle_memory(server.process_id)
                serving = resident_memory(server.process_id)
            for what, size in (("the process that serves, resident", serving), ("it and its worker, PSS", whole)):
                run.comparison.add(f"memory of {what}: MiB", product.name, round_, size and size / _MEBIBYTE)


def _imports(run: _Run) -> None:
    with ExitStack() as stack:
        database = stack.enter_context(embedded_postgres(run.data))
        file = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=run.data))) / "people.csv"
        csv_files.write(file, csv_files.People(run.options.rows))
        meter = CpuMeter(postmaster(database.url_as(SUPERUSER)))
        for round_, product in run.turns("import", run.products):
            dataset = dataset_of(product, database, run.data, "imported", "")
            with serving_product(product, dataset, 1, run.load) as server:
                idle_memory(server.process_id)  # its worker has started
                meter.start(server)
                imported = importing.import_file(server, file)
                cpu, postgres_cpu = meter.stop()
            rows = imported.answer["progress"]["rowsDone"]
            if rows != run.options.rows:
                raise BenchmarkError(f"{product.name} imported {rows} rows")
            for what, value in (
                ("rows/s", rows / imported.applying),
                ("CPU-s per 1000 rows, server", cpu and cpu / rows * 1000),
                ("CPU-s per 1000 rows, PostgreSQL", postgres_cpu and postgres_cpu / rows * 1000),
            ):
                run.comparison.add(f"import: {what}", product.name, round_, value)


PARTS: Mapping[str, Callable[[_Run], None]] = {
    "lookups": _lookups,
    "writes": _writes,
    "start": _start,
    "memory": _memory,
    "imports": _imports,
}
