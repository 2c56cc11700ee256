"""The command: `python3 run.py bench`, `… against`, `… writes`, `… imports`, `… overload`, `… citus`, `… draw`."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.against import PARTS, AgainstOptions, measure_against
from benchmarks.arguments import add_common, add_generator, count, list_of, one_of, rows, seconds, size
from benchmarks.batches import SIZES as BATCHES
from benchmarks.batches import BatchOptions, BatchResults, measure_batches
from benchmarks.citus import CitusOptions, add_citus_options, measure_citus
from benchmarks.comparison import Comparison
from benchmarks.contenders import PEERS
from benchmarks.datasets import default_directory
from benchmarks.drawing import draw
from benchmarks.errors import BenchmarkError
from benchmarks.imports import ImportOptions, ImportResults, measure_imports
from benchmarks.imports import table as imports_table
from benchmarks.load import Load
from benchmarks.observation import add_observation_options
from benchmarks.overload import CONNECTIONS as OVERLOAD_CONNECTIONS
from benchmarks.overload import KINDS as OVERLOAD_KINDS
from benchmarks.overload import TIMES, OverloadOptions, measure_overload
from benchmarks.results import Results, table, this_machine
from benchmarks.rounds import LookupOptions, measure_lookups
from benchmarks.workload import KINDS
from benchmarks.write_database import WRITES
from benchmarks.writes import WRITE_PEERS, WriteOptions, measure_writes
from profile_lookup.database.embedded.errors import EmbeddedPostgresError

COMMANDS = (
    "lookups",
    "batches",
    "writes",
    "imports",
    "against",
    "overload",
    "observation",
    "citus",
    "draw",
    "-h",
    "--help",
)
CONNECTIONS = (1, 8, 32, 128)
PARTS_BY_DEFAULT = ("lookups", "writes", "start", "memory")


def main(arguments: list[str]) -> None:
    if not arguments or arguments[0] not in COMMANDS:
        arguments = ["lookups", *arguments]
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))  # which also ends the servers
    try:
        options.run(options)
    except (BenchmarkError, EmbeddedPostgresError, OSError) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _lookups(options: argparse.Namespace) -> None:
    selected = LookupOptions(
        options.size, options.kinds, options.keys, options.connections, options.peers, options.workers,
        options.rounds, options.seconds, options.standby,
    )  # fmt: skip
    load = Load(options.load)
    results = Results(asdict(selected), this_machine(load.name))
    with _write_results(results, options):
        measure_lookups(selected, load, options.data, results)


def _batches(options: argparse.Namespace) -> None:
    selected = BatchOptions(options.size, options.kinds, options.batches, options.rounds, options.seconds)
    load = Load(options.load)
    results = BatchResults(asdict(selected), this_machine(load.name))
    try:
        measure_batches(selected, load, options.data, results)
    finally:
        if options.output is not None:
            results.write(options.output)
        _print(results.table(), results.machine)


def _writes(options: argparse.Namespace) -> None:
    selected = WriteOptions(
        options.size, options.kinds, options.connections, options.peers, options.rounds, options.seconds
    )
    load = Load(options.load)
    results = Results(asdict(selected), this_machine(load.name))
    with _write_results(results, options):
        measure_writes(selected, load, options.data, results)


def _imports(options: argparse.Namespace) -> None:
    selected = ImportOptions(
        options.rows, options.seconds, options.rounds, options.beside, options.kill, options.kill_rows,
        options.worldwide,
    )  # fmt: skip
    load = Load(options.load)
    results = ImportResults(asdict(selected), this_machine(load.name))
    try:
        measure_imports(selected, load, options.data, results)
    finally:
        if options.output is not None:
            results.write(options.output)
        _print(imports_table(results), results.machine)


def _against(options: argparse.Namespace) -> None:
    selected = AgainstOptions(
        options.revision, options.only, options.size, options.connections, options.rows, options.rounds, options.seconds
    )
    _compare(options, selected, lambda load, comparison: measure_against(selected, load, options.data, comparison))


def _citus(options: argparse.Namespace) -> None:
    selected = CitusOptions(
        options.stores, options.people, options.connections, options.rounds, options.seconds, options.against
    )
    _compare(options, selected, lambda load, comparison: measure_citus(selected, load, options.data, comparison))


def _compare(
    options: argparse.Namespace, selected: AgainstOptions | CitusOptions, measure: Callable[[Load, Comparison], None]
) -> None:
    load = Load(options.load)
    comparison = Comparison(asdict(selected), this_machine(load.name))
    try:
        measure(load, comparison)
    finally:
        if options.output is not None:
            comparison.write(options.output)
        _print(comparison.table(), comparison.machine)


def _overload(options: argparse.Namespace) -> None:
    selected = OverloadOptions(
        options.size, options.kinds, options.connections, options.times, options.rounds, options.seconds
    )
    for line in measure_overload(selected, options.data):
        print(line, flush=True)


def _draw(options: argparse.Namespace) -> None:
    for path in draw([Results.read(path) for path in options.results], options.svg):
        print(path)


@contextmanager
def _write_results(results: Results, options: argparse.Namespace) -> Iterator[None]:
    """Write the results, even if the block raises an error. Print and draw them if it does not."""
    try:
        yield
    finally:
        if options.output is not None:
            results.write(options.output)
    _print(table(results), results.machine)
    if options.svg is not None:
        for path in draw([results], options.svg):
            print(path)


def _print(lines: Iterable[str], machine: Mapping[str, Any]) -> None:
    for line in lines:
        print(line)
    print(f"\nPython {machine['python']}; the load came from {machine['load']}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py bench", description="Measure lookups, or what the command names.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    lookups = commands.add_parser("lookups", help="measure Lookups against the peers (the default)")
    lookups.set_defaults(run=_lookups)
    add_common(lookups, PEERS)
    lookups.add_argument("--size", type=list_of(size), default=("1M",), help="identifiers: 10k,1M,10M (default: 1M)")
    lookups.add_argument("--kinds", type=list_of(one_of(KINDS)), default=("phones",), help=f"of {','.join(KINDS)}")
    lookups.add_argument(
        "--keys", choices=("uniform", "skewed"), default="uniform", help="how the looked-up people are chosen"
    )
    lookups.add_argument("--connections", type=list_of(count), default=CONNECTIONS, help="default: 1,8,32,128")
    lookups.add_argument("--workers", type=list_of(count), default=(1,), help="processes of each server: 1,2")
    lookups.add_argument("--standby", action="store_true", help="also measure the product with a standby")
    batches = commands.add_parser("batches", help="measure batch lookups against single ones")
    batches.set_defaults(run=_batches)
    batches.add_argument("--size", type=size, default="1M", help="identifiers stored (default: 1M)")
    batches.add_argument("--kinds", type=list_of(one_of(KINDS)), default=("phones",), help=f"of {','.join(KINDS)}")
    batches.add_argument("--batches", type=list_of(count), default=BATCHES, help="sizes (default: 10,100,1000)")
    add_generator(batches)
    writes = commands.add_parser("writes", help="measure POST Profiles")
    writes.set_defaults(run=_writes)
    add_common(writes, WRITE_PEERS)
    writes.add_argument("--size", type=size, default="1M", help="identifiers stored before (default: 1M)")
    writes.add_argument("--kinds", type=list_of(one_of(WRITES)), default=tuple(WRITES), help=f"of {','.join(WRITES)}")
    writes.add_argument("--connections", type=list_of(count), default=(32,), help="default: 32")
    _add_imports(commands)
    against = commands.add_parser("against", help="measure this checkout against another commit")
    against.set_defaults(run=_against)
    against.add_argument("revision", help="the other commit, in any form that git understands")
    against.add_argument(
        "--only", type=list_of(one_of(PARTS)), default=PARTS_BY_DEFAULT, metavar="PARTS",
        help=f"of {','.join(PARTS)} (default: {','.join(PARTS_BY_DEFAULT)})",
    )  # fmt: skip
    against.add_argument("--size", type=size, default="1M", help="identifiers (default: 1M)")
    against.add_argument(
        "--connections", type=list_of(count), default=CONNECTIONS, help="of lookups (default: 1,8,32,128)"
    )
    against.add_argument("--rows", type=rows, default=100_000, help="rows of each import (default: 100000)")
    add_generator(against)
    against.set_defaults(rounds=15, seconds=1.0)
    overload = commands.add_parser("overload", help="measure what happens at four times the best load")
    overload.set_defaults(run=_overload)
    overload.add_argument("--size", type=size, default="100k", help="identifiers (default: 100k)")
    overload.add_argument(
        "--kinds", type=list_of(one_of(OVERLOAD_KINDS)), default=OVERLOAD_KINDS, help=f"of {','.join(OVERLOAD_KINDS)}"
    )
    overload.add_argument(
        "--connections", type=list_of(count), default=OVERLOAD_CONNECTIONS, help="tried for the best load"
    )
    overload.add_argument("--times", type=count, default=TIMES, help="the best load (default: %(default)s)")
    overload.add_argument("--rounds", type=count, default=5, help="(default: %(default)s)")
    overload.add_argument("--seconds", type=seconds, default=2.0, help="of each measurement (default: %(default)s)")
    overload.add_argument("--data", type=Path, default=default_directory(), help="where to keep the databases")
    observation = commands.add_parser("observation", help="measure what metrics, audit and traces cost a Lookup")
    add_observation_options(observation)
    add_generator(observation)
    _add_citus(commands)
    drawing = commands.add_parser("draw", help="draw results that --output wrote")
    drawing.set_defaults(run=_draw)
    drawing.add_argument("results", type=Path, nargs="+")
    drawing.add_argument("--svg", type=Path, required=True, metavar="DIRECTORY")
    return parser


def _add_citus(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    citus = commands.add_parser("citus", help="measure the service on Citus against plain PostgreSQL")
    citus.set_defaults(run=_citus)
    add_citus_options(citus)
    add_generator(citus)


def _add_imports(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    imports = commands.add_parser("imports", help="measure imports of CSV files")
    imports.set_defaults(run=_imports)
    imports.add_argument("--rows", type=rows, default=1_000_000, help="rows of the file (default: 1000000)")
    imports.add_argument(
        "--beside", type=rows, default=100_000, help="rows of each import during lookups (default: 100000)"
    )
    imports.add_argument(
        "--kill", type=int, default=0, metavar="TIMES", help="how often to kill the service (default: 0)"
    )
    imports.add_argument(
        "--kill-rows", type=rows, default=200_000, help="rows of the import that is killed (default: 200000)"
    )
    imports.add_argument(
        "--worldwide", action="store_true", help="numbers of ten countries, without + (default: US and others, with +)"
    )
    add_generator(imports)


if __name__ == "__main__":
    main(sys.argv[1:])
