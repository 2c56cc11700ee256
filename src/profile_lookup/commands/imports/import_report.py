"""What `profile-lookup import` prints: tables and its progress. Without a terminal, the progress is plain lines."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import Row

from profile_lookup.imports.columns.column_guesses import looks_like_a_name
from profile_lookup.imports.notices.notice import Notice
from profile_lookup.imports.progress import applied_rows, cancelled_after, rows_done
from profile_lookup.imports.refused_rows import HEADER, MAX_REPORTED, Reports
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.web import ids

MAX_SHOWN = 10
"""Refused rows, and ignored cells, that are printed; the others are only counted."""

NO_NAME = "(no name)"

_LINE_INTERVAL = 5.0  # seconds between two lines of progress

_console = Console(markup=False, emoji=False, highlight=False)


def say(text: str) -> None:
    _console.print(text, soft_wrap=True)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, justify: Any = "left") -> None:
    table = Table(box=None, pad_edge=False)
    for name in header:
        table.add_column(name, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*row)
    _console.print(table)


def printable(column: str) -> str:
    """Return the column's name, if it has one. Without a header it may be a value, which is personal data."""
    return column if column and looks_like_a_name(column) else NO_NAME


@contextmanager
def watching() -> Iterator[Callable[[Row[Any]], None]]:
    """Yield a function that shows the progress; call it with the import's row again and again."""
    progress = _ProgressText()
    if not _console.is_terminal:
        printed_at = time.monotonic()

        def print_line(row: Row[Any]) -> None:
            nonlocal printed_at
            if time.monotonic() - printed_at >= _LINE_INTERVAL:
                printed_at = time.monotonic()
                say(progress.describe(row))

        yield print_line
        return
    with Progress(TimeElapsedColumn(), BarColumn(), TextColumn("{task.description}"), console=_console) as bar:
        task = bar.add_task("", total=None)

        def move_bar(row: Row[Any]) -> None:
            bar.update(task, completed=rows_done(row), total=row.rows_total, description=progress.describe(row))

        yield move_bar


class _ProgressText:
    """The progress in words. The speed counts only rows since the first call, since an import may be resumed."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def describe(self, row: Row[Any]) -> str:
        if row.rows_total is None:
            return "waits for a worker" if row.status == "PENDING" else "checks the file"
        done, now = rows_done(row), time.monotonic()
        if self._first is None:
            self._first = done, now
        done_at_first, first_at = self._first
        words = f"{done:,} of {row.rows_total:,} rows"
        if done > done_at_first and now > first_at:
            rate = (done - done_at_first) / (now - first_at)
            left = timedelta(seconds=round((row.rows_total - done) / rate))
            words += f", {rate:,.0f} a second, {left} to go"
        return words


def show_result(row: Row[Any]) -> None:
    """Print the counts of an import that has ended. `seconds` and `rows/s` count from the end of the upload."""
    is_dry_run = row.kind == OperationKind.DRY_RUN_IMPORT
    if is_dry_run:
        say("This was a dry run: no profile was written. An import at this moment would have this result:")
    if row.error_detail is not None:
        say(f"FAILED: {row.error_detail}")
    if row.status == "CANCELLED":
        say(f"{cancelled_after(row)}." if is_dry_run else f"{cancelled_after(row)}. What these rows wrote stays.")
    seconds = (row.completed_at - row.uploaded_at).total_seconds()
    counts = (row.created, row.updated, row.merged, row.refused, row.empty_lines)
    print_table(
        ("created", "updated", "merged", "refused", "empty lines", "seconds", "rows/s"),
        [(*(f"{count:,}" for count in counts), f"{seconds:,.1f}", f"{rows_done(row) / max(seconds, 0.001):,.0f}")],
        justify="right",
    )
    would = "would be" if is_dry_run else "was"
    if row.rows_total == 0:
        say("The file has no rows below the names of its columns")
    elif row.error_detail is None and applied_rows(row) == 0:
        say(f"Not a single row {would} imported: each of them {would} refused")
    if row.cells_ignored:
        rows = "its row" if row.cells_ignored == 1 else "their rows"
        say(f"{_were(row.cells_ignored, 'cell', is_dry_run)} ignored; the rest of {rows} {would} imported")
    traits = {each["columnName"]: f"{each['traitGroup']}.{each['traitName']}" for each in row.column_mappings}
    for notice in row.notices or ():
        say(_notice(Notice.of_document(notice), traits))
    if row.evicted:
        say(f"{_were(row.evicted, 'identifier', is_dry_run)} dropped by the limit of their type")


@contextmanager
def watching_undo() -> Iterator[Callable[[Mapping[str, int]], None]]:
    """Yield a function that shows how many profiles an undo has done; call it with the counts again and again."""
    with Progress(TimeElapsedColumn(), TextColumn("{task.description}"), console=_console) as progress:
        task = progress.add_task("", total=None)
        yield lambda counts: progress.update(task, description=f"{sum(counts.values()):,} people")


def show_undo(counts: Mapping[str, int], reasons: Sequence[tuple[str, str]]) -> None:
    """Print the counts of an undo, and the first profiles that are not just what they were before the import."""
    names = ("erased", "split", "restored", "left")
    print_table(names, [[f"{counts.get(name, 0):,}" for name in names]], justify="right")
    if reasons:
        print_table(("profile", "reason"), reasons)


def _notice(notice: Notice, traits: Mapping[str, str]) -> str:
    rows = _rows(notice.rows, notice.first_lines)
    if notice.kind == "evicted":
        return (
            f"In {rows}, a profile got more values of {notice.id_type} than the limit of this type lets it keep. "
            "If these rows are about different people, something they share has made them one profile"
        )
    if notice.kind == "unlikelyColumn":
        column = notice.column or ""
        return unlikely(column, traits.get(column, ""), notice.rows, notice.first_lines)
    if not notice.names:
        return f"One value of {notice.id_type} stood in {rows}: a placeholder, by which nobody was identified"
    return (
        f"One value of {notice.id_type} stands for {notice.names:,} names: it stood in {rows}. "
        "If these are different people, they may be one profile now. Such a value can be blocked before the next import"
    )


def unlikely(column: str, trait: str, rows: int, first_lines: Sequence[int]) -> str:
    """Return the words for a column most of whose first cells do not fit its trait."""
    name = printable(column)
    return (
        f"{name} is read as {trait}, but most of its first cells do not look like it: see {_rows(rows, first_lines)}. "
        f'If the column holds something else, say what, --map "{name}=…", or leave it out, --leave-out "{name}"'
    )


def _rows(count: int, first_lines: Sequence[int]) -> str:
    lines = ", ".join(f"{line:,}" for line in first_lines)
    return f"{count:,} rows (lines {lines}{', …' if count > len(first_lines) else ''})"


@dataclass(frozen=True, slots=True)
class ReportPart:
    """A part of an import's report: what its lines are about, the option that writes them, and where they are."""

    name: str
    option: str
    of: Callable[[Reports], str]
    count: Callable[[Row[Any]], int]


REFUSED_ROWS = ReportPart("refused rows", "--refused", lambda reports: reports.refused_rows, lambda row: row.refused)
IGNORED_CELLS = ReportPart(
    "ignored cells", "--ignored", lambda reports: reports.ignored_cells, lambda row: row.cells_ignored
)


def show_lines(row: Row[Any], part: ReportPart, first: Sequence[Sequence[str]], path: Path | None) -> None:
    """Print the first lines of a part of the report, and where all of them are.

    `first` holds the line, column and reason of each; `path` is the file with all of them, if there is one.
    """
    count = part.count(row)
    kept = "all of them" if count <= MAX_REPORTED else f"the first {MAX_REPORTED:,}"
    if first:
        say(f"{part.name.capitalize()}:")
        print_table(HEADER, first)
    if path is not None:
        say(f"{count:,} {part.name}, {kept}: {path}" if count else f"No {part.name}: {path} has only its header")
    elif count > len(first):
        again = f"profile-lookup import --resume {ids.import_id(row.id)} {part.option} FILE"
        say(f"{len(first)} of {count:,} {part.name}; {kept}: {again}")


def _were(count: int, noun: str, is_dry_run: bool) -> str:
    one, many = ("would be", "would be") if is_dry_run else ("was", "were")
    return f"{count:,} {noun} {one}" if count == 1 else f"{count:,} {noun}s {many}"
