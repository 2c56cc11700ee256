"""What is shown to who watches an import: tables, and how far it is. Plain lines where there is no terminal."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import Row

from profile_lookup.imports.column_guesses import looks_like_a_name
from profile_lookup.imports.column_mapping import MappedColumn
from profile_lookup.imports.refused_rows import HEADER, MAX_REPORTED
from profile_lookup.web import ids

SHOWN = 10
"""Of the rows that were refused."""

_EVERY = 5.0  # seconds between two lines

_console = Console(markup=False, emoji=False, highlight=False)


def say(text: str) -> None:
    _console.print(text, soft_wrap=True)


def show_mapping(header: Sequence[str], mapping: Sequence[MappedColumn]) -> None:
    """With what is left out."""
    traits = {each.column: str(each.trait) for each in mapping}
    _show(("column", "trait"), [(_shown(column), traits.get(column, "(left out)")) for column in header])


def _shown(column: str) -> str:
    return column if looks_like_a_name(column) else "(no name)"


@contextmanager
def watching() -> Iterator[Callable[[Row[Any]], None]]:
    """Gives what is to be told of the import, again and again."""
    pace = _Pace()
    if not _console.is_terminal:
        said_at = time.monotonic()

        def say_it(row: Row[Any]) -> None:
            nonlocal said_at
            if time.monotonic() - said_at >= _EVERY:
                said_at = time.monotonic()
                say(pace.of(row))

        yield say_it
        return
    with Progress(TimeElapsedColumn(), BarColumn(), TextColumn("{task.description}"), console=_console) as progress:
        task = progress.add_task("", total=None)

        def move(row: Row[Any]) -> None:
            progress.update(task, completed=_done(row), total=row.rows_total, description=pace.of(row))

        yield move


class _Pace:
    """Of the rows since we watch: an import that is resumed has others behind it."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def of(self, row: Row[Any]) -> str:
        if row.rows_total is None:
            return "waits for its turn" if row.status == "PENDING" else "goes through the file"
        done, now = _done(row), time.monotonic()
        if self._first is None:
            self._first = done, now
        before, since = self._first
        words = f"{done:,} of {row.rows_total:,} rows"
        if done > before and now > since:
            rate = (done - before) / (now - since)
            left = timedelta(seconds=round((row.rows_total - done) / rate))
            words += f", {rate:,.0f} a second, {left} to go"
        return words


def show_end(row: Row[Any]) -> None:
    """`seconds` are those since the file was there."""
    if row.error_detail is not None:
        say(f"FAILED: {row.error_detail}")
    seconds = (row.completed_at - row.uploaded_at).total_seconds()
    counts = (row.created, row.updated, row.merged, row.refused, row.empty_lines)
    _show(
        ("created", "updated", "merged", "refused", "warnings", "seconds", "rows/s"),
        [(*(f"{count:,}" for count in counts), f"{seconds:,.1f}", f"{_done(row) / max(seconds, 0.001):,.0f}")],
        justify="right",
    )


def show_refused(row: Row[Any], first: Sequence[Sequence[str]], path: Path | None) -> None:
    """`first`: line, column and reason of some; `path`: where all that are told are, if they were written."""
    told = "all of them" if row.refused <= MAX_REPORTED else f"the first {MAX_REPORTED:,}"
    if first:
        _show(HEADER, first)
    if path is not None:
        say(f"{row.refused:,} refused rows, {told}: {path}")
    elif row.refused > len(first):
        again = f"profile-lookup import --resume {ids.import_id(row.id)} --refused FILE"
        say(f"{len(first)} of {row.refused:,} refused rows; {told}: {again}")


def _done(row: Row[Any]) -> int:
    done: int = row.created + row.updated + row.merged + row.refused
    return done


def _show(header: Sequence[str], rows: Iterable[Sequence[str]], *, justify: Any = "left") -> None:
    table = Table(box=None, pad_edge=False)
    for name in header:
        table.add_column(name, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*row)
    _console.print(table)
