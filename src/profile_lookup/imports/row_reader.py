"""Reads an import's rows, as many at a time as a step applies. Each becomes a change or a refusal.

A bad cell costs the cell: it is ignored and reported, and the rest of its row counts if it identifies somebody.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from profile_lookup.errors import NothingUnblocked, RowRefused, TraitsRefused, TraitValueRefused, ValueRefused
from profile_lookup.identity.blocked_values import Block
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.rules import IdentifierConfig
from profile_lookup.identity.traits import is_text, items_of
from profile_lookup.identity.values.built_in_blocked_values import is_placeholder
from profile_lookup.identity.values.invisible_characters import trimmed
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.identity.values.phone_numbers import phone_of_country
from profile_lookup.imports.columns.column_mapping import MappedColumn, identifying_columns
from profile_lookup.imports.files.cells import text_of, typed_value, values_of
from profile_lookup.imports.files.csv_records import Record
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.row_values import Column, IgnoredCell, RowValues
from profile_lookup.stores.rules_cache import StoreRules

ROWS_PER_STEP = 768
"""Rows that are read together and are not refused. A step takes half of them if each has two identifiers."""
RECORDS_PER_STEP = 5000  # refused ones included
CHARACTERS_PER_STEP = 1 << 20  # of the mapped columns

_MAX_NAMED = 5  # columns that a reason lists, since a report may have millions of reasons


class Reading(NamedTuple):
    """What a row asks for, and which of its cells do not count. A refused row has no ignored cells."""

    attempt: Change | RowRefused
    ignored: Sequence[IgnoredCell] = ()


class Row(NamedTuple):
    """`cells` are those of the mapped columns, in the order of the mapping; None if the record could not be read."""

    line: int
    cells: Sequence[str] | None
    reading: Reading


def next_rows(records: Iterator[Record], reader: "RowReader") -> Iterator[Row]:
    """Yield as many rows as one step should take at most."""
    changes = characters = 0
    for line, fields, reason in islice(records, RECORDS_PER_STEP):
        if fields is None:
            yield Row(line, None, Reading(RowRefused(None, reason)))
            continue
        cells = reader.cells_of(fields)
        row = Row(line, cells, reader.read(cells))
        yield row
        changes += isinstance(row.reading.attempt, Change)
        characters += sum(map(len, cells))
        if changes >= ROWS_PER_STEP or characters >= CHARACTERS_PER_STEP:
            return


class RowReader:
    """Reads rows by the rules of a store. The mapping must have passed `refuse_mapping`.

    `positions` are those of the mapped columns in the file: several columns may have one name.
    """

    def __init__(
        self,
        store: StoreRules,
        mapping: Sequence[MappedColumn],
        positions: Mapping[str, Sequence[int]],
        options: ImportOptions,
    ) -> None:
        self.store = store
        self._options = options
        self.columns = [each for each in mapping for _ in positions[each.column]]
        self._positions = [position for each in mapping for position in positions[each.column]]
        columns = [self._column(place, *mapped) for place, mapped in enumerate(self.columns)]
        first_of_group = {column.trait.group: column.place for column in reversed(columns)}
        # The traits of a group come together, as in a request.
        self._columns = sorted(columns, key=lambda column: first_of_group[column.trait.group])
        self._identifying = list(identifying_columns(store.trait_groups, store.settings, mapping))

    def cells_of(self, fields: Sequence[str]) -> list[str]:
        """Return the cells of the mapped columns, in the order of the mapping."""
        return [fields[position] for position in self._positions]

    def read(self, cells: Sequence[str]) -> Reading:
        """Return the change that a row asks for, or why it is refused. An empty cell is ignored and not reported.

        A blocked value costs its cell alone, too: the trait is written, and the rest of the row counts.
        """
        row = RowValues()
        try:
            for column in self._columns:
                if cell := cells[column.place]:
                    self._read_cell(row, column, cell)
        except TraitsRefused as refused:
            return Reading(RowRefused(None, str(refused)))
        if row.first_bad is not None and self._options.is_strict:
            return Reading(RowRefused(*row.first_bad))
        if not row.identifiers:
            return Reading(self._identifies_nobody(row))
        change = Change(tuple(row.identifiers), row.traits, blocked=tuple(row.blocked), sent=row.identifiers)
        return Reading(change, list(row.ignored.values()) if row.ignored else ())

    def _column(self, place: int, name: str, trait: TraitName) -> Column:
        definition = self.store.trait_groups[trait.group].traits[trait.name]
        id_type, settings = definition.id_type_promotion, self.store.settings
        config = settings.config(id_type) if id_type in settings.id_types else None
        takes_any_text = definition.data_type == "STRING" and definition.validation_rule is None
        return Column(place, name, trait, definition, config, takes_any_text)

    def _read_cell(self, row: RowValues, column: Column, cell: str) -> None:
        try:
            if column.definition.data_type != "STRING":
                self._add_items(row, column, typed_value(column.definition.data_type, cell))
            elif column.config is None:
                self._add_text(row, column, text_of(cell))
            else:
                for value in values_of(cell, column.config.normalization):
                    self._add_value(row, column, column.config, value)
        except ValueRefused as refused:
            row.ignore(column, refused.reason)
        except TraitValueRefused as refused:
            row.ignore(column, refused.expected)

    def _add_text(self, row: RowValues, column: Column, text: str) -> None:
        if not text or column.trait in row.traits:
            return
        if column.takes_any_text and is_text(text):
            row.traits[column.trait] = text
        else:
            row.traits[column.trait] = row.reader.read(column.trait, column.definition, text)

    def _add_value(self, row: RowValues, column: Column, config: IdentifierConfig, sent: str) -> None:
        """Add one of the values of a cell that identifies. A bad one costs the others nothing."""
        try:
            if self._options.country and config.normalization == "phone" and not is_placeholder(sent):
                sent, judged = self._number_of_country(config, sent, self._options.country)
            else:
                judged = self.store.blocked_values.judge_value(config, sent)
            # What identifies somebody is a text that a store can hold.
            is_any_text = column.takes_any_text and not isinstance(judged, Block)
            value = sent if is_any_text else row.reader.read(column.trait, column.definition, sent)
        except ValueRefused as refused:
            row.ignore(column, refused.reason)
        except TraitValueRefused as refused:
            row.ignore(column, refused.expected)
        else:
            row.add(column, value, sent, judged)

    def _number_of_country(
        self, config: IdentifierConfig, sent: str, country: str
    ) -> tuple[str, NormalizedIdentifier | Block]:
        """Return the number in E.164, and whom it identifies. Raises `ValueRefused`."""
        number = phone_of_country(sent, country)
        identifier = NormalizedIdentifier(config.id_type, NormalizedValue(number))
        return number, self.store.blocked_values.block(self.store.settings, identifier) or identifier

    def _add_items(self, row: RowValues, column: Column, sent: object) -> None:
        """Add a value that is no text; of an array, each item identifies. Raises `ValueRefused`, `TraitsRefused`."""
        value = row.reader.read(column.trait, column.definition, sent)
        items = [item for item in items_of(value) if trimmed(item)] if column.config else []
        judged = [self.store.blocked_values.judge_value(column.config, item) for item in items if column.config]
        row.traits.setdefault(column.trait, value)
        for item, identifier in zip(items, judged, strict=True):
            row.add(column, value, item, identifier)

    def _identifies_nobody(self, row: RowValues) -> RowRefused:
        columns = self._identifying
        ignored = [each for each in row.ignored.values() if each.column in columns]
        if not ignored:
            listed = columns if len(columns) <= _MAX_NAMED else [*columns[:_MAX_NAMED], "…"]
            return RowRefused(None, f"expected a value in a column that identifies: {', '.join(listed)}")
        if ignored == [row.first_bad]:
            return RowRefused(*ignored[0])
        if row.first_bad in ignored:
            return RowRefused(None, f"expected a value that identifies somebody; {_named(ignored)}")
        return RowRefused(None, str(NothingUnblocked(ignored)))


def _named(ignored: Sequence[IgnoredCell]) -> str:
    return ", ".join(f"{column} ({reason})" for column, reason in ignored[:_MAX_NAMED])
