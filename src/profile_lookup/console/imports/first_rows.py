"""How a stored file would be read, and what would become of its first rows."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Row

from profile_lookup.console.imports.mapping_form import MappingForm
from profile_lookup.console.pages import StorePage
from profile_lookup.errors import AlreadyUploaded
from profile_lookup.imports.dry_runs.file_beginning import MAX_BEGINNING, FileBeginning, file_beginning
from profile_lookup.imports.dry_runs.first_rows import PreviewedRow, preview_rows
from profile_lookup.imports.staged_imports import staged_beginning

MAX_SHOWN = 10
_MAX_CELLS = 4


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row, what would become of it, and some of its cells with the names of their columns."""

    previewed: PreviewedRow
    cells: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class FirstRows:
    """`shown` has some of the `total` rows that were looked at, and `counts` says how many have which outcome."""

    beginning: FileBeginning
    shown: Sequence[ShownRow]
    counts: Counter[str]
    total: int

    @classmethod
    def of(cls, beginning: FileBeginning, rows: Sequence[PreviewedRow]) -> Self:
        records = {record.line: record.fields for record in beginning.records}
        shown = [ShownRow(row, _cells(beginning, records.get(row.line) or ())) for row in rows[:MAX_SHOWN]]
        return cls(beginning, shown, Counter(row.outcome for row in rows), len(rows))


async def read_first_rows(page: StorePage, row: Row[Any], typed: MappingForm) -> FirstRows:
    """Return how the import's file would be read. There are no rows if no column identifies anybody.

    Raises `AlreadyUploaded` if the import does not wait with its file, `FileRefused` or `RequestRefused`.
    """
    store, database = page.rules, page.services.database
    async with database.statements() as connection:
        content = await staged_beginning(connection, row, MAX_BEGINNING)
    if content is None:
        raise AlreadyUploaded
    beginning = await asyncio.to_thread(file_beginning, store, content, typed.options(), typed.named(store))
    if not beginning.identifies:
        return FirstRows.of(beginning, [])
    async with database.snapshot() as connection:
        rows = await preview_rows(connection, store, beginning.row_rules, iter(beginning.records))
    return FirstRows.of(beginning, rows)


def _cells(beginning: FileBeginning, fields: Sequence[str]) -> list[tuple[str, str]]:
    places = [(name, place) for name, positions in beginning.layout.positions.items() for place in positions]
    filled = [(name, fields[place]) for name, place in places if place < len(fields) and fields[place].strip()]
    return filled[:_MAX_CELLS]
