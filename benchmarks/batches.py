"""Measures batch lookups over one connection against single lookups over 32, in the same rounds."""

import http.client
import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from benchmarks.contenders import PRODUCT, CpuMeter, Server, authorization, post, postmaster, serving
from benchmarks.datasets import embedded_postgres, ensure_dataset
from benchmarks.errors import BenchmarkError
from benchmarks.load import Load, Target
from benchmarks.progress import say
from benchmarks.results import Spread, aligned, formatted
from benchmarks.workload import REQUESTS, Workload
from profile_lookup.database.embedded.roles import SUPERUSER

SIZES = (10, 100, 1000)
_SINGLE, _SINGLE_CONNECTIONS = 1, 32
_STRIDE = 20_011
"""By how many identifiers the start of each measurement moves, so that it does not repeat recent ones."""


@dataclass(frozen=True, slots=True)
class BatchOptions:
    size: str
    kinds: tuple[str, ...]
    batches: tuple[int, ...]
    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BatchMeasurement:
    """`batch`: identifiers in a request; 1 is a single lookup. CPU times are seconds per 1000 identifiers."""

    kind: str
    batch: int
    round: int
    identifiers_per_second: float
    p50: float
    p99: float
    cpu: float | None
    postgres_cpu: float | None


@dataclass(slots=True)
class BatchResults:
    options: dict[str, Any]
    machine: dict[str, Any]
    measurements: list[BatchMeasurement] = field(default_factory=list)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    def table(self) -> Iterator[str]:
        """Yield the lines of a Markdown table."""
        cells = dict.fromkeys((each.kind, each.batch) for each in self.measurements)
        yield from aligned([_HEAD, *(self._row(kind, batch) for kind, batch in cells)])

    def _of(self, kind: str, batch: int) -> list[BatchMeasurement]:
        return [each for each in self.measurements if (each.kind, each.batch) == (kind, batch)]

    def _row(self, kind: str, batch: int) -> tuple[str, ...]:
        measured = self._of(kind, batch)
        pairs = zip(measured, self._of(kind, _SINGLE), strict=False)  # the last round may be incomplete
        ratio = Spread.of(each.identifiers_per_second / single.identifiers_per_second for each, single in pairs)
        return (
            kind,
            f"single, {_SINGLE_CONNECTIONS} connections" if batch == _SINGLE else f"batches of {batch}, 1 connection",
            formatted(Spread.of(each.identifiers_per_second for each in measured), ",.0f"),
            formatted(Spread.of(each.p50 for each in measured), ".2f", with_range=False),
            formatted(Spread.of(each.p99 for each in measured), ".2f", with_range=False),
            formatted(Spread.of(each.cpu for each in measured), ".3f", with_range=False),
            formatted(Spread.of(each.postgres_cpu for each in measured), ".3f", with_range=False),
            formatted(ratio, ".2f"),
        )


_HEAD = (
    "kind", "requests", "identifiers/s (min-max)", "p50 ms", "p99 ms", "CPU-s per 1000", "of PostgreSQL",
    "times single (min-max)",
)  # fmt: skip


def measure_batches(options: BatchOptions, load: Load, data: Path, results: BatchResults) -> None:
    """Measure all sizes of batches. Each result is added at once, so that it is kept even if a later one fails."""
    sizes = (_SINGLE, *options.batches)
    with embedded_postgres(data) as database:
        dataset = ensure_dataset(database, options.size)
        workloads = {kind: Workload(dataset.population, kind, "uniform") for kind in options.kinds}
        meter = CpuMeter(postmaster(database.url_as(SUPERUSER)))
        with serving(PRODUCT, dataset, 1, load) as server:
            cells = itertools.product(workloads, sizes)
            bodies = {(kind, size): _bodies(workloads[kind], size) for kind, size in cells}
            for workload in workloads.values():
                server.check(workload)
            for (kind, size), prepared in bodies.items():
                _check(server, workloads[kind], size, prepared[0])
            for number, (round_, kind) in enumerate(itertools.product(range(options.rounds), options.kinds)):
                say(f"Round {round_ + 1} of {options.rounds}: {kind}")
                turn = number % len(sizes)
                for size in sizes[turn:] + sizes[:turn]:
                    first = number * _STRIDE // size
                    measured = _measure(server, meter, bodies[kind, size], size, options.seconds, first)
                    results.measurements.append(BatchMeasurement(kind, size, round_, *measured))


def _bodies(workload: Workload, size: int) -> Sequence[bytes]:
    if size == _SINGLE:
        return workload.bodies
    return [
        b'{"identifiers":[%b]}' % b",".join(workload.bodies[first : first + size])
        for first in range(0, REQUESTS - size + 1, size)
    ]


def _target(server: Server, size: int) -> Target:
    path = f"{server.dataset.store_path}/Profiles/Lookup{'' if size == _SINGLE else '/Batch'}"
    return Target(server.port, path, authorization())


def _check(server: Server, workload: Workload, size: int, body: bytes) -> None:
    """Raise `BenchmarkError` if an answer to a batch is wrong."""
    if size == _SINGLE:
        return
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        status, answer = post(connection, _target(server, size), body)
    expected = {"results": [case.answer() for case in workload.cases[:size]]}
    if (status, json.loads(answer)) != (HTTPStatus.OK, expected):
        raise BenchmarkError(f"a batch of {size} is answered with {status} {answer[:1000]!r}")


def _measure(
    server: Server, meter: CpuMeter, bodies: Sequence[bytes], size: int, seconds: float, first: int
) -> tuple[float, float, float, float | None, float | None]:
    """Return identifiers per second, p50, p99, and the CPU times."""
    meter.start(server)
    outcome = server.load.run(
        _target(server, size), bodies, _SINGLE_CONNECTIONS if size == _SINGLE else 1, seconds, first
    )
    used = meter.stop()
    if outcome.failed or not outcome.requests:
        raise BenchmarkError(f"{outcome.failed} of {outcome.requests} requests failed")
    identifiers = outcome.requests * size
    mine, postgres = (None if each is None else each / identifiers * 1000 for each in used)
    return identifiers / outcome.seconds, outcome.p50, outcome.p99, mine, postgres
