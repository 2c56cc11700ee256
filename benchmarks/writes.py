"""Measures POST Profiles (create, update, merge) against the naive service and against pgbench with the same SQL.

The database is created again for every run, because a run changes it. Before anything is timed, each server has to show
its guarantees in a race, and after each measurement all answered writes must be stored.
"""

import itertools
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import NAIVE, PGBENCH, PRODUCT, Server, postmaster, serving
from benchmarks.datasets import Dataset, embedded_postgres, ensure_dataset
from benchmarks.errors import MissingProgramError
from benchmarks.load import Load
from benchmarks.pgbench import Pgbench
from benchmarks.processes import cpu_seconds
from benchmarks.progress import say
from benchmarks.results import Results
from benchmarks.rounds import measurement
from benchmarks.write_database import WriteDatabase
from profile_lookup.database.embedded.roles import SUPERUSER

WRITE_PEERS = (NAIVE, PGBENCH)


@dataclass(frozen=True, slots=True)
class WriteOptions:
    size: str
    kinds: tuple[str, ...]
    connections: tuple[int, ...]
    peers: tuple[str, ...]
    rounds: int
    seconds: float


def measure_writes(options: WriteOptions, load: Load, data: Path, results: Results) -> None:
    """Measure all contenders. Each result is added at once, so that it is kept even if a later measurement fails."""
    with ExitStack() as stack:
        server = stack.enter_context(embedded_postgres(data))
        database = WriteDatabase(ensure_dataset(server, options.size, purpose="writes"), options.seconds)
        contenders = _start(stack, options, database.dataset, load)
        for contender in contenders:
            if isinstance(contender, Server):
                database.race(contender)
        postgres = postmaster(server.url_as(SUPERUSER))
        for contender, kind in itertools.product(contenders, options.kinds):
            database.write(contender, kind, database.batch(kind, max(options.connections)))  # warm-up
        cells = list(itertools.product(range(options.rounds), options.kinds, options.connections))
        for number, (round_, kind, connections) in enumerate(cells):
            say(f"Round {round_ + 1} of {options.rounds}: {kind}, {connections} connections")
            turn = number % len(contenders)
            for contender in contenders[turn:] + contenders[:turn]:
                batch = database.batch(kind, connections)
                cpu_before = contender.cpu_seconds(), cpu_seconds(postgres)
                outcome = database.write(contender, kind, batch)
                cpu_after = contender.cpu_seconds(), cpu_seconds(postgres)
                results.measurements.append(
                    measurement(contender, kind, connections, round_, outcome, cpu_before, cpu_after)
                )
                database.check(contender, kind, batch, outcome)


def _start(stack: ExitStack, options: WriteOptions, dataset: Dataset, load: Load) -> list[Server | Pgbench]:
    contenders: list[Server | Pgbench] = []
    for name in (PRODUCT, *options.peers):
        try:
            contenders.append(
                Pgbench(dataset, 1) if name == PGBENCH else stack.enter_context(serving(name, dataset, 1, load))
            )
        except MissingProgramError as error:
            say(f"Without {name}: {error}")
    return contenders
