"""Notices about values that stood in very many rows: a placeholder, or an address that many people share.

While rows are applied, a *mark* says where a value stands that the store has under many names. At the end the file is
read once more, to find out in which rows each of these values stands. So no value is kept in between.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.person_names import MAX_NAMES, NAME_TRAITS, NOTICE_FROM, written_name
from profile_lookup.identity.profile_replay import Written
from profile_lookup.identity.values.built_in_blocked_values import placeholder
from profile_lookup.imports.columns.column_mapping import identifying_columns
from profile_lookup.imports.files.csv_records import Record
from profile_lookup.imports.row_rules import RowRules
from profile_lookup.stores.rules_cache import StoreRules

MAX_NOTICES = 100
MAX_FIRST_LINES = 3
MIN_PLACEHOLDER_ROWS = NOTICE_FROM


class Mark(NamedTuple):
    """Where a value stands that was written under many names: the row's line, and the place among its identifiers."""

    line: int
    place: int


class Marks:
    """The marks of an import, of each value once, as long as the process lives. `saved` are those of earlier steps."""

    def __init__(self, saved: Iterable[Sequence[int]]) -> None:
        self._marks = [Mark(*each) for each in saved]
        self._marked: set[NormalizedIdentifier] = set()

    def add(self, line: int, change: Change, written: Written) -> None:
        """Mark the values of an applied row that were written under many names."""
        for identifier in written.shared:
            if identifier not in self._marked and len(self._marks) < MAX_NOTICES:
                self._marked.add(identifier)
                self._marks.append(Mark(line, change.incoming.index(identifier)))

    def to_document(self) -> list[list[int]]:
        return [list(each) for each in self._marks]


@dataclass(slots=True)
class Notice:
    """In which rows of a file a value stood. `names` is under how many names it stood there; 0 for a placeholder."""

    id_type: str
    rows: int = 0
    first_lines: list[int] = field(default_factory=list)
    names: int = 0

    def to_document(self) -> dict[str, Any]:
        return {"id_type": self.id_type, "rows": self.rows, "first_lines": self.first_lines, "names": self.names}

    def add(self, line: int) -> None:
        self.rows += 1
        if len(self.first_lines) < MAX_FIRST_LINES:
            self.first_lines.append(line)


def find_notices(
    records: Callable[[], Iterator[Record]],
    row_rules: RowRules,
    store: StoreRules,
    marks: Iterable[Sequence[int]],
) -> list[Notice]:
    """Read the file once or twice, and return at most `MAX_NOTICES` notices, those about most rows first.

    `records` begins to read the file.
    """
    reader = _Reader(row_rules, store)
    marked = {Mark(*each) for each in marks}
    shared = set(reader.values_at(records(), marked)) if marked else set()
    notices = [*_shared_value_notices(reader, records, shared), *_placeholder_notices(reader, records)]
    return sorted(notices, key=lambda each: -each.rows)[:MAX_NOTICES]


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

    def values_at(self, records: Iterator[Record], marks: set[Mark]) -> Iterator[NormalizedIdentifier]:
        lines = {each.line for each in marks}
        for line, change in self.changes(record for record in records if record.line in lines):
            for mark in marks:
                if mark.line == line and mark.place < len(change.incoming):
                    yield change.incoming[mark.place]
