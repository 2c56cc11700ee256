"""Reads an import's rows, as many at a time as a step applies. Each becomes a change or a refusal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from profile_lookup.errors import RowRefused
from profile_lookup.identity.change import Change
from profile_lookup.imports.column_mapping import MappedColumn, read_row
from profile_lookup.imports.csv_file import Layout, Record
from profile_lookup.stores.rules_cache import StoreRules

ROWS_PER_STEP = 300
"""Rows of a step that are not refused when they are read. A step takes some tens of milliseconds: the longest that
other writes of the same identifiers wait for it."""
RECORDS_PER_STEP = 5000  # refused ones included
CHARACTERS_PER_STEP = 1 << 20  # of the mapped columns


@dataclass(frozen=True, slots=True)
class Row:
    """`cells` are those of the mapped columns, in the order of the mapping; None if the record could not be read."""

    line: int
    cells: Sequence[str] | None
    attempt: Change | RowRefused


def next_rows(
    records: Iterator[Record], layout: Layout, mapping: Sequence[MappedColumn], store: StoreRules
) -> Iterator[Row]:
    """Yield as many rows as one step should take, read by the store's rules."""
    positions = [layout.positions[each.column] for each in mapping]
    changes = characters = 0
    for record in islice(records, RECORDS_PER_STEP):
        if record.fields is None:
            yield Row(record.line, None, RowRefused(None, record.reason))
            continue
        cells = [record.fields[position] for position in positions]
        row = Row(record.line, cells, change_or_refusal(store, mapping, cells))
        yield row
        changes += isinstance(row.attempt, Change)
        characters += sum(map(len, cells))
        if changes >= ROWS_PER_STEP or characters >= CHARACTERS_PER_STEP:
            return


def change_or_refusal(store: StoreRules, mapping: Sequence[MappedColumn], cells: Sequence[str]) -> Change | RowRefused:
    try:
        return read_row(store.trait_groups, store.settings, mapping, cells, store.blocked_values)
    except RowRefused as refused:
        return refused
