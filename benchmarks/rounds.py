"""Measures lookups of all contenders in turn, round after round, so that a disturbance affects all of them."""

import itertools
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import PGBENCH, PRODUCT, Contender, postmaster, serving
from benchmarks.datasets import Dataset, embedded_postgres, ensure_dataset
from benchmarks.errors import BenchmarkError, MissingProgramError
from benchmarks.load import Load, Outcome
from benchmarks.pgbench import Pgbench
from benchmarks.processes import cpu_seconds
from benchmarks.progress import say
from benchmarks.results import Measurement, Results
from benchmarks.standby import primary_postgres, serving_with_standby
from benchmarks.workload import REQUESTS, Keys, Workload
from profile_lookup.database.embedded.roles import SUPERUSER

_STRIDE = 20_011
"""By how many requests the start of each measurement moves, so that it does not repeat recent requests."""


@dataclass(frozen=True, slots=True)
class LookupOptions:
    sizes: tuple[str, ...]
    kinds: tuple[str, ...]
    keys: Keys
    connections: tuple[int, ...]
    peers: tuple[str, ...]
    workers: tuple[int, ...]
    rounds: int
    seconds: float
    with_standby: bool


def measure_lookups(options: LookupOptions, load: Load, data: Path, results: Results) -> None:
    """Measure all contenders. Each result is added at once, so that it is kept even if a later measurement fails."""
    with ExitStack() as stack:
        server = stack.enter_context(primary_postgres(data) if options.with_standby else embedded_postgres(data))
        datasets = [ensure_dataset(server, size) for size in options.sizes]
        workloads = {
            (size.size, kind): Workload(size.population, kind, options.keys)
            for size, kind in itertools.product(datasets, options.kinds)
        }
        contenders = _start(stack, options, datasets, load)
        if options.with_standby:
            contenders += [stack.enter_context(serving_with_standby(server, data, each, load)) for each in datasets]
        postgres = postmaster(server.url_as(SUPERUSER))
        for contender, kind in itertools.product(contenders, options.kinds):
            workload = workloads[contender.dataset.size, kind]
            contender.check(workload)
            contender.look_up(workload, max(options.connections), options.seconds, REQUESTS // 2)  # warm-up
        say(f"Ready: {', '.join(dict.fromkeys(contender.name for contender in contenders))}")
        cells = list(itertools.product(range(options.rounds), options.kinds, options.connections))
        for number, (round_, kind, connections) in enumerate(cells):
            say(f"Round {round_ + 1} of {options.rounds}: {kind}, {connections} connections")
            turn = number % len(contenders)
            for contender in contenders[turn:] + contenders[:turn]:
                workload = workloads[contender.dataset.size, kind]
                cpu_before = _cpu_used(contender, postgres)
                outcome = contender.look_up(workload, connections, options.seconds, number * _STRIDE)
                cpu_after = _cpu_used(contender, postgres)
                results.measurements.append(
                    measurement(contender, kind, connections, round_, outcome, cpu_before, cpu_after)
                )


def _start(stack: ExitStack, options: LookupOptions, datasets: Sequence[Dataset], load: Load) -> list[Contender]:
    """Start the contenders that can be run on this machine. The product always can."""
    contenders: list[Contender] = []
    for name in (PRODUCT, *options.peers):
        try:
            for dataset, workers in itertools.product(datasets, options.workers):
                contender: Contender = (
                    Pgbench(dataset, workers)
                    if name == PGBENCH
                    else stack.enter_context(serving(name, dataset, workers, load))
                )
                contenders.append(contender)
        except MissingProgramError as error:
            say(f"Without {name}: {error}")
    return contenders


def _cpu_used(contender: Contender, postgres: int) -> tuple[float | None, float | None]:
    return contender.cpu_seconds(), cpu_seconds(postgres)


def measurement(
    contender: Contender,
    kind: str,
    connections: int,
    round_: int,
    outcome: Outcome,
    cpu_before: tuple[float | None, float | None],
    cpu_after: tuple[float | None, float | None],
) -> Measurement:
    """Return a measurement. `cpu_before`, `cpu_after`: CPU seconds. Raises `BenchmarkError` if a request failed."""
    if outcome.failed or not outcome.requests:
        raise BenchmarkError(f"{contender.name}: {outcome.failed} of {outcome.requests} requests failed")
    server, postgres = (
        None if before is None or after is None else (after - before) / outcome.requests * 1000
        for before, after in zip(cpu_before, cpu_after, strict=True)
    )
    return Measurement(
        contender=contender.name,
        size=contender.dataset.size,
        kind=kind,
        workers=contender.workers,
        connections=connections,
        round=round_,
        requests_per_second=outcome.requests / outcome.seconds,
        p50=outcome.p50,
        p99=outcome.p99,
        cpu=server,
        postgres_cpu=postgres,
    )
