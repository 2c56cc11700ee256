"""Finds the values that stood in very many rows: a placeholder, or an address that many people share.

The file is read once more for that, when all rows are done.
"""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import islice

from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.person_names import MAX_NAMES, NAME_TRAITS, NOTICE_FROM, written_name
from profile_lookup.identity.values.built_in_blocked_values import placeholder
from profile_lookup.imports.columns.column_fit import SAMPLE_ROWS, column_fits
from profile_lookup.imports.columns.column_mapping import identifying_columns
from profile_lookup.imports.files.csv_records import Record
from profile_lookup.imports.notices.findings import Mark
from profile_lookup.imports.notices.notice import Notice
from profile_lookup.imports.row_rules import RowRules
from profile_lookup.stores.rules_cache import StoreRules

MIN_PLACEHOLDER_ROWS = NOTICE_FROM


def unlikely_columns(records: Callable[[], Iterator[Record]], row_rules: RowRules, store: StoreRules) -> list[Notice]:
    """Return a notice about each column most of whose first cells do not fit its trait."""
    fits = column_fits(store, row_rules.mapping, row_rules.layout, islice(records(), SAMPLE_ROWS), row_rules.options)
    return [
        Notice(fit.id_type, fit.unfit, list(fit.first_lines), kind="unlikelyColumn", column=column)
        for column, fit in fits.items()
        if fit.is_unlikely
    ]


def shared_values(
    records: Callable[[], Iterator[Record]], row_rules: RowRules, store: StoreRules, marks: AbstractSet[Mark]
) -> list[Notice]:
    """Read the file once or twice, and return the notices about values that stood in very many rows.

    `records` begins to read the file.
    """
    reader = _Reader(row_rules, store)
    shared = set(reader.values_at(records(), marks)) if marks else set()
    return [*_shared_value_notices(reader, records, shared), *_placeholder_notices(reader, records)]


def _shared_value_notices(
    reader: "_Reader", records: Callable[[], Iterator[Record]], shared: set[NormalizedIdentifier]
) -> Iterator[Notice]:
    if not shared:
        return
    found = {identifier: Notice(identifier.id_type) for identifier in shared}
    names: Mapping[NormalizedIdentifier, set[str]] = {identifier: set() for identifier in shared}
    narrow = reader.narrowed_to({identifier.id_type for identifier in shared})
    for line, change in narrow.changes(records()):
        for identifier in shared.intersection(change.incoming):
            found[identifier].add(line)
            name = written_name(change.traits)
            if name is not None and len(names[identifier]) < MAX_NAMES:
                names[identifier].add(name)
    for identifier, notice in found.items():
        notice.names = len(names[identifier])
        if notice.rows:
            yield notice


def _placeholder_notices(reader: "_Reader", records: Callable[[], Iterator[Record]]) -> Iterator[Notice]:
    found: dict[tuple[str, str], Notice] = {}
    columns = reader.identifying_columns
    for record in records():
        for column, id_type in columns.items() if record.fields is not None else ():
            for word in {placeholder(cell) for cell in reader.cells(record, column)} - {None}:
                found.setdefault((column, str(word)), Notice(id_type)).add(record.line)
    yield from (notice for notice in found.values() if notice.rows >= MIN_PLACEHOLDER_ROWS)


class _Reader:
    """Reads rows by the rules that are in force at the end of the import."""

    def __init__(self, row_rules: RowRules, store: StoreRules) -> None:
        self._row_rules = row_rules
        self._store = store
        self._rows = row_rules.reader(store)
        self.identifying_columns = identifying_columns(store.trait_groups, store.settings, row_rules.mapping)

    def cells(self, record: Record, column: str) -> Iterator[str]:
        """Yield the cells of all columns with this name."""
        assert record.fields is not None
        for position in self._row_rules.layout.positions[column]:
            yield record.fields[position]

    def narrowed_to(self, id_types: set[str]) -> "_Reader":
        """Return a reader of no other columns than those that identify by these types, and those of names."""
        columns = {column for column, id_type in self.identifying_columns.items() if id_type in id_types}
        mapping = [each for each in self._row_rules.mapping if each.column in columns or each.trait in NAME_TRAITS]
        return _Reader(replace(self._row_rules, mapping=mapping), self._store)

    def changes(self, records: Iterator[Record]) -> Iterator[tuple[int, Change]]:
        """Yield the line and the change of each row that is not refused."""
        for record in records:
            if record.fields is not None:
                attempt = self._rows.read(self._rows.cells_of(record.fields)).attempt
                if isinstance(attempt, Change):
                    yield record.line, attempt

    def values_at(self, records: Iterator[Record], marks: AbstractSet[Mark]) -> Iterator[NormalizedIdentifier]:
        lines = {each.line for each in marks}
        for line, change in self.changes(record for record in records if record.line in lines):
            for mark in marks:
                if mark.line == line and mark.place < len(change.incoming):
                    yield change.incoming[mark.place]
