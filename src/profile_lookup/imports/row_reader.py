"""Reads an import's rows, as many at a time as a step applies. Each becomes a change or a refusal."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from profile_lookup.errors import NothingUnblocked, RowRefused, TraitsRefused, TraitValueRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.trait_definitions import TraitDefinition
from profile_lookup.identity.traits import read_defined_traits
from profile_lookup.imports.column_mapping import MappedColumn, identifying_columns
from profile_lookup.imports.csv_file import Layout, Record
from profile_lookup.stores.rules_cache import StoreRules

ROWS_PER_STEP = 768
"""Rows that are read together and are not refused. A step takes half of them if each has two identifiers."""
RECORDS_PER_STEP = 5000  # refused ones included
CHARACTERS_PER_STEP = 1 << 20  # of the mapped columns

_INTEGER = re.compile("[+-]?[0-9]{1,10}")
_MAX_NAMED = 5  # columns that a reason lists, since a report may have millions of reasons
_BOOLEANS = {"true": True, "false": False}


class Row(NamedTuple):
    """`cells` are those of the mapped columns, in the order of the mapping; None if the record could not be read."""

    line: int
    cells: Sequence[str] | None
    attempt: Change | RowRefused


def next_rows(records: Iterator[Record], layout: Layout, reader: "RowReader") -> Iterator[Row]:
    """Yield as many rows as one step should take at most."""
    positions = [layout.positions[each] for each in reader.columns]
    changes = characters = 0
    for line, fields, reason in islice(records, RECORDS_PER_STEP):
        if fields is None:
            yield Row(line, None, RowRefused(None, reason))
            continue
        cells = [fields[position] for position in positions]
        row = Row(line, cells, reader.attempt(cells))
        yield row
        changes += isinstance(row.attempt, Change)
        characters += sum(map(len, cells))
        if changes >= ROWS_PER_STEP or characters >= CHARACTERS_PER_STEP:
            return


class _Column(NamedTuple):
    """A mapped column with its trait's definition. `place` is that of its cell among the cells of a row."""

    place: int
    name: str
    trait: TraitName
    definition: TraitDefinition


class RowReader:
    """Reads rows by the rules of a store. The mapping must have passed `refuse_mapping`."""

    def __init__(self, store: StoreRules, mapping: Sequence[MappedColumn]) -> None:
        self.store = store
        self.columns = [each.column for each in mapping]
        columns = [
            _Column(place, name, trait, store.trait_groups[trait.group].traits[trait.name])
            for place, (name, trait) in enumerate(mapping)
        ]
        first_of_group = {column.trait.group: column.place for column in reversed(columns)}
        # The traits of a group come together, as in a request.
        self._columns = sorted(columns, key=lambda column: first_of_group[column.trait.group])
        self._identifying = list(identifying_columns(store.trait_groups, store.settings, mapping))

    def attempt(self, cells: Sequence[str]) -> Change | RowRefused:
        """Return what `read` returns or raises."""
        try:
            return self.read(cells)
        except RowRefused as refused:
            return refused

    def read(self, cells: Sequence[str]) -> Change:
        """Return the change that a row asks for. Its cells are in the order of the mapping; an empty cell is ignored.

        A blocked value costs its cell alone: the trait is written, and the rest of the row counts. Raises `RowRefused`.
        """
        store = self.store
        sent = [
            (trait, definition, cell if definition.data_type == "STRING" else _read_cell(name, definition, cell))
            for place, name, trait, definition in self._columns
            if (cell := cells[place])
        ]
        try:
            traits = read_defined_traits(sent)
            change = Change.of_traits(store.trait_groups, store.settings, traits, store.blocked_values)
        except TraitValueRefused as refused:
            column = next(each.name for each in self._columns if str(each.trait) == refused.trait)
            raise RowRefused(column, refused.expected) from None
        except TraitsRefused as refused:
            raise RowRefused(None, str(refused)) from None
        if not change.incoming:
            raise self._identifies_nobody(change)
        return change

    def _identifies_nobody(self, change: Change) -> RowRefused:
        if change.blocked:
            columns_of = {each.trait: each.name for each in self._columns}
            nobody = NothingUnblocked((columns_of[each.trait], each.block.reason) for each in change.blocked)
            return RowRefused(None, str(nobody))
        columns = self._identifying
        listed = columns if len(columns) <= _MAX_NAMED else [*columns[:_MAX_NAMED], "…"]
        return RowRefused(None, f"expected a value in a column that identifies: {', '.join(listed)}")


def _read_cell(column: str, definition: TraitDefinition, cell: str) -> object:
    """Return the JSON value that a request would hold. Raises `RowRefused`."""
    match definition.data_type:
        case "STRING":
            return cell
        case "NUMBER":
            if _INTEGER.fullmatch(cell.strip()) is None:
                raise RowRefused(column, "expected an integer of 32 bits")
            return int(cell)
        case "BOOLEAN":
            value = _BOOLEANS.get(cell.strip().lower())
            if value is None:
                raise RowRefused(column, "expected true or false")
            return value
        case "ARRAY":
            return _read_array(column, cell)


def _read_array(column: str, cell: str) -> list[object]:
    try:
        items = json.loads(cell)
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list):
        raise RowRefused(column, "expected a JSON array")
    return items
