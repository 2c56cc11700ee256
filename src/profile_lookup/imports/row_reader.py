"""Reads an import's rows, as many at a time as a step applies: each is a change, or refused."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from profile_lookup.errors import RowRefused
from profile_lookup.identity.change import Change
from profile_lookup.imports.column_mapping import MappedColumn, read_row
from profile_lookup.imports.csv_file import Layout, Record
from profile_lookup.stores.rules_cache import Store

ROWS = 300
"""In a step that are not refused already: some tens of milliseconds, in which others wait for no more than these."""
RECORDS = 5000  # in a step, with those that are refused
CHARACTERS = 1 << 20  # in a step, of the mapped columns


@dataclass(frozen=True, slots=True)
class Row:
    """`cells` are those of the mapped columns, in the order of the mapping; None if it could not be read at all."""

    line: int
    cells: Sequence[str] | None
    attempt: Change | RowRefused


def next_rows(
    records: Iterator[Record], layout: Layout, mapping: Sequence[MappedColumn], store: Store
) -> Iterator[Row]:
    """As many as one step should take, by the store's rules."""
    positions = [layout.positions[each.column] for each in mapping]
    changes = characters = 0
    for record in islice(records, RECORDS):
        if record.fields is None:
            yield Row(record.line, None, RowRefused(None, record.reason))
            continue
        cells = [record.fields[position] for position in positions]
        row = Row(record.line, cells, attempt_of(store, mapping, cells))
        yield row
        changes += isinstance(row.attempt, Change)
        characters += sum(map(len, cells))
        if changes >= ROWS or characters >= CHARACTERS:
            return


def attempt_of(store: Store, mapping: Sequence[MappedColumn], cells: Sequence[str]) -> Change | RowRefused:
    try:
        return read_row(store.trait_groups, store.settings, mapping, cells)
    except RowRefused as refused:
        return refused
