"""Measures imports of CSV files against the same rows sent one by one, and against a bare COPY of the resulting rows.

PostgreSQL is the embedded one with the settings that `serve` uses. Each part has its own database.
"""

import asyncio
import itertools
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks import csv_files, importing
from benchmarks.contenders import PRODUCT, authorization, postmaster, serving
from benchmarks.csv_files import COLUMNS, People
from benchmarks.datasets import Dataset, empty_dataset
from benchmarks.errors import BenchmarkError
from benchmarks.killing import compare_with_killed
from benchmarks.load import Load, Outcome, Target
from benchmarks.processes import cpu_seconds, idle_memory, memory
from benchmarks.progress import say
from benchmarks.results import Spread, aligned
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres

TABLES = ("profile", "identifier", "alias", "event")
"""The tables that an import writes, in an order that their foreign keys allow."""

_CONNECTIONS = 8  # for single requests and for lookups
_POLL_INTERVAL = 0.1  # seconds
_WARM_UP = 3.0  # seconds, or less if the measurement is shorter
_FASTEST = 3000  # single requests per second to prepare; more than any server reaches


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """`beside`: rows of each import during which lookups are measured; `kill`: how often to kill the service.

    `worldwide`: the numbers of the files are from abroad, and have no +.
    """

    rows: int
    seconds: float
    rounds: int
    beside: int
    kill: int
    kill_rows: int
    worldwide: bool = False


@dataclass(slots=True)
class ImportResults:
    options: dict[str, Any]
    machine: dict[str, Any]
    measured: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        path.write_text(
            json.dumps({"options": self.options, "machine": self.machine, **self.measured}, indent=1) + "\n"
        )


def measure_imports(options: ImportOptions, load: Load, data: Path, results: ImportResults) -> None:
    """Measure all parts. Each result is added at once, so that it is kept even if a later part fails."""
    measured = results.measured
    with EmbeddedPostgres(data / "imports") as server, tempfile.TemporaryDirectory(dir=data) as directory:
        file = Path(directory) / "people.csv"
        people = People(options.rows, worldwide=options.worldwide)
        size = csv_files.write(file, people)
        say(f"Importing {options.rows:,} rows, {size / (1 << 20):.0f} MiB …")
        imported = empty_dataset(server, "imported")
        measured["import"] = _measure_import(imported, load, file, postmaster(server.url_as(SUPERUSER)))
        say("The same rows one by one …")
        measured["row by row"] = _measure_single(empty_dataset(server, "single"), load, people, options.seconds)
        say("A bare COPY of what they became …")
        copied = empty_dataset(server, "copied")
        seconds = asyncio.run(_copy(imported.database_url, copied.database_url, Path(directory)))
        measured["copy"] = {"seconds": seconds, "rows_per_second": options.rows / seconds}
        measured["lookups"] = _measure_lookups(imported, load, people, options, Path(directory))
        if options.kill:
            measured["killed"] = compare_with_killed(server, load, options.kill_rows, options.kill, Path(directory))


def _measure_import(dataset: Dataset, load: Load, file: Path, postgres: int) -> dict[str, Any]:
    with serving(PRODUCT, dataset, 1, load) as server:
        idle = idle_memory(server.process_id)
        cpu, postgres_cpu = cpu_seconds(server.process_id), cpu_seconds(postgres)
        with _greatest_memory(server.process_id) as greatest:
            imported = importing.import_file(server, file)
        used, used_by_postgres = cpu_seconds(server.process_id), cpu_seconds(postgres)
    rows = imported.answer["progress"]["rowsDone"]
    return {
        "answer": imported.answer,
        "rows": rows,
        "seconds": imported.applying,
        "seconds_with_upload": imported.seconds,
        "rows_per_second": rows / imported.applying,
        "rows_per_second_with_upload": rows / imported.seconds,
        "idle_memory": idle,
        "memory_above_idle": greatest[0] - idle if idle else None,
        "cpu": used - cpu if used and cpu else None,
        "postgres_cpu": used_by_postgres - postgres_cpu if used_by_postgres and postgres_cpu else None,
    }


@contextmanager
def _greatest_memory(process_id: int) -> Iterator[list[int]]:
    """Track the greatest memory of a process and its descendants during the block: the only item, in bytes."""
    greatest, has_to_end = [0], threading.Event()

    def poll_memory() -> None:
        while not has_to_end.wait(_POLL_INTERVAL):
            greatest[0] = max(greatest[0], memory(process_id) or 0)

    watcher = threading.Thread(target=poll_memory)
    watcher.start()
    try:
        yield greatest
    finally:
        has_to_end.set()
        watcher.join()


def _measure_single(dataset: Dataset, load: Load, people: People, seconds: float) -> dict[str, Any]:
    with serving(PRODUCT, dataset, 1, load) as server:
        first_rows = itertools.islice(people, int(_FASTEST * (seconds + _WARM_UP)))
        contacts = [dict(zip(COLUMNS.values(), row, strict=True)) for row in first_rows]
        bodies = [json.dumps({"traits": {"Contact": contact}}).encode() for contact in contacts]
        warm = load.run(server.write_target(), bodies, _CONNECTIONS, min(_WARM_UP, seconds), 0)
        outcome = load.run(server.write_target(), bodies, _CONNECTIONS, seconds, warm.requests)
    if outcome.failed:
        raise BenchmarkError(f"row by row: {outcome.failed} of {outcome.requests} requests failed")
    return {
        "connections": _CONNECTIONS,
        "rows": outcome.requests,
        "rows_per_second": outcome.requests / outcome.seconds,
    }


async def _copy(source_url: str, target_url: str, directory: Path) -> float:
    """Copy the rows of one database into another, which has all indexes and keys. Return the time in seconds."""
    source, target = await asyncpg.connect(source_url), await asyncpg.connect(target_url)
    try:
        for table in TABLES:
            await source.copy_from_table(table, output=directory / table, format="binary")
        await target.execute("checkpoint")
        started_at = time.monotonic()
        async with target.transaction():
            for table in TABLES:
                await target.copy_to_table(table, source=directory / table, format="binary")
        return time.monotonic() - started_at
    finally:
        await source.close()
        await target.close()


def _measure_lookups(
    dataset: Dataset, load: Load, people: People, options: ImportOptions, directory: Path
) -> list[dict[str, Any]]:
    """Measure lookups in turn without and during an import into the same store. No imported person is looked up."""
    numbers = people.newcomers()
    lookups = [{"idType": "phone", "value": f"+{people.digits_of(i)}"} for i in numbers[:100_000]]
    bodies = [json.dumps(lookup).encode() for lookup in lookups]
    rounds = []
    with serving(PRODUCT, dataset, 1, load) as server:
        target = Target(server.port, f"{dataset.store_path}/Profiles/Lookup", authorization())

        def look_up(first: int) -> Outcome:
            outcome = load.run(target, bodies, _CONNECTIONS, options.seconds, first)
            if outcome.failed:
                raise BenchmarkError(f"{outcome.failed} lookups failed")
            return outcome

        look_up(0)  # warm-up
        for number in range(options.rounds):
            say(f"Lookups, round {number + 1} of {options.rounds}")
            alone = look_up(number * 20_011)
            file = directory / "beside.csv"
            first = (number + 1) * csv_files.MAX_ROWS
            csv_files.write(file, People(options.beside, first=first, worldwide=options.worldwide))
            created = importing.begin(server, file)
            importing.upload(server, created["url"], file)
            while not (before := importing.fetch(server, created["importId"]))["progress"]["rowsDone"]:
                time.sleep(_POLL_INTERVAL)
            beside = look_up(number * 20_011)
            after = importing.fetch(server, created["importId"])
            if after["status"] != "PROCESSING":
                raise BenchmarkError("the import ended before the lookups did: let it have more rows with --beside")
            rate = (after["progress"]["rowsDone"] - before["progress"]["rowsDone"]) / beside.seconds
            rounds.append({"alone": _figures(alone), "beside": _figures(beside), "rows_per_second_beside": rate})
            importing.ended(server, created["importId"])
    return rounds


def _figures(outcome: Outcome) -> dict[str, float]:
    return {"requests_per_second": outcome.requests / outcome.seconds, "p50": outcome.p50, "p99": outcome.p99}


def table(results: ImportResults) -> Iterator[str]:
    """Yield the lines of a Markdown table. Parts that were not measured are left out."""
    measured = results.measured
    rows = [("what", "measured", "floor")]
    if imported := measured.get("import"):
        rows += _rows_of_import(imported)
        for other, name, floor in (("row by row", f"{_CONNECTIONS} connections", "6"), ("copy", "one COPY", "0.25")):
            if other in measured:
                rate = measured[other]["rows_per_second"]
                rows.append((f"{other}: rows/s, {name}", f"{rate:,.0f}", ""))
                rows.append((f"import is … times {other}", f"{imported['rows_per_second'] / rate:.2f}", f">= {floor}"))
    if rounds := measured.get("lookups"):
        for name, floor in (("p50", ""), ("p99", "<= 3")):
            for when in ("alone", "beside"):
                spread = Spread.of(each[when][name] for each in rounds)
                rows.append((f"Lookup's {name}, {when}{' an import' * (when == 'beside')}: ms", _formatted(spread), ""))
            ratio = Spread.of(each["beside"][name] / each["alone"][name] for each in rounds)
            rows.append((f"Lookup's {name} beside an import is … times that alone", _formatted(ratio), floor))
        rows.append(("rows/s meanwhile", _formatted(Spread.of(each["rows_per_second_beside"] for each in rounds)), ""))
    if killed := measured.get("killed"):
        what = f"{killed['rows']:,} rows, killed {killed['kills']} times: the final state"
        rows.append((what, "is that of an undisturbed run", "equal"))
    yield from aligned(rows)


def _rows_of_import(imported: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    answer = imported["answer"]["progress"]
    yield (
        "import: rows, of which created, updated, merged",
        ", ".join(f"{count:,}" for count in (imported["rows"], answer["created"], answer["updated"], answer["merged"])),
        "",
    )
    yield "import: rows/s from the upload's end", f"{imported['rows_per_second']:,.0f}", ""
    yield "import: rows/s with the upload", f"{imported['rows_per_second_with_upload']:,.0f}", ""
    if imported["memory_above_idle"] is not None:
        yield "import: memory above idle, MiB", f"{imported['memory_above_idle'] / (1 << 20):,.0f}", "< 300"
    if imported["cpu"] is not None:
        per_1000 = (f"{imported[whose] / imported['rows'] * 1000:,.3f}" for whose in ("cpu", "postgres_cpu"))
        yield "import: CPU-s per 1000 rows, of PostgreSQL", ", ".join(per_1000), ""


def _formatted(spread: Spread | None) -> str:
    assert spread is not None
    return f"{spread.median:,.2f} ({spread.low:,.2f}-{spread.high:,.2f})"
