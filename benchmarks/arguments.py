"""The options that several commands have, and how the values of options are parsed."""

import argparse
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from benchmarks.csv_files import MAX_ROWS
from benchmarks.datasets import default_directory, parse_size

Value = TypeVar("Value")

LONGEST = 300
"""The longest time of a measurement in seconds, because load must always be bounded."""


def list_of(parse: Callable[[str], Value]) -> Callable[[str], tuple[Value, ...]]:
    def items(text: str) -> tuple[Value, ...]:
        return tuple(parse(item) for item in text.split(","))

    return items


def one_of(names: Collection[str]) -> Callable[[str], str]:
    def name(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(names)}")
        return text

    return name


def size(text: str) -> str:
    try:
        parse_size(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 1k-100M") from None
    return text


def count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 1 or more")
    return count


def rows(text: str) -> int:
    rows = int(text)
    if not 100 <= rows <= MAX_ROWS:  # noqa: PLR2004 -- fewer rows show nothing
        raise argparse.ArgumentTypeError(f"{text!r}: expected 100-{MAX_ROWS}")
    return rows


def seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r}: expected up to {LONGEST}")
    return seconds


def add_common(parser: argparse.ArgumentParser, peers: tuple[str, ...]) -> None:
    parser.add_argument(
        "--peers", type=list_of(one_of(peers)), default=peers, help=f"of {','.join(peers)} (default: all)"
    )
    add_generator(parser)
    parser.add_argument("--svg", type=Path, metavar="DIRECTORY", help="where to write charts")


def add_generator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=count, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=seconds, default=5.0, help="of each measurement (default: %(default)s)")
    parser.add_argument("--load", choices=("wrk", "own"), help="the generator (default: wrk if it is installed)")
    parser.add_argument("--output", type=Path, help="where to write the results as JSON")
    parser.add_argument(
        "--data", type=Path, default=default_directory(), help="where to keep the databases (default: %(default)s)"
    )
