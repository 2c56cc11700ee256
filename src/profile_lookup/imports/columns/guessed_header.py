"""Guesses which line of a file is its header, by which delimiter it is split, and what its columns hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from profile_lookup.identity.profile import TraitName
from profile_lookup.imports.columns.column_fit import SAMPLE_ROWS
from profile_lookup.imports.columns.column_guesses import complete_mapping, looks_like_a_name
from profile_lookup.imports.columns.column_mapping import MappedColumn, identifying_columns
from profile_lookup.imports.files.csv_records import Record
from profile_lookup.imports.files.encodings import TextFormat
from profile_lookup.imports.files.layout import Header, Layout
from profile_lookup.stores.rules_cache import StoreRules

SAMPLE_CHARACTERS = 4 << 20


@dataclass(frozen=True, slots=True)
class GuessedHeader:
    """A possible header, with the mapping of its columns."""

    header: Header
    mapping: Sequence[MappedColumn]
    identifies: bool

    @property
    def is_certain(self) -> bool:
        """Return whether this can be nothing but a header, so that the lines above it are titles."""
        is_known = len(self.mapping) > 1 or len(self.mapping) == len(self.header.columns)
        return self.identifies and is_known and all(map(looks_like_a_name, self.header.columns))

    @property
    def may_be_title(self) -> bool:
        """Return whether it is a single word, as the title of a list may be: "Phone" above several columns."""
        return sum(map(bool, self.header.columns)) <= 1

    def layout(self, text_format: TextFormat) -> Layout:
        """Return the layout of a file with this header."""
        delimiter, line, columns = self.header
        positions = {
            mapped.column: [place for place, name in enumerate(columns) if name == mapped.column]
            for mapped in self.mapping
        }
        return Layout(text_format, delimiter, line, len(columns), positions)


def guessed_header(
    store: StoreRules, headers: Sequence[Header], named: Mapping[str, TraitName | None]
) -> GuessedHeader:
    """Return the first line by which somebody is identified; there, the delimiter by which most columns are understood.

    Below the first line it must be a header for certain. A single word in the first line is a title if such a header
    follows, unless `named` has it. `named` holds the traits of columns; None leaves a column out.
    """
    candidates = [_candidate(store, header, named) for header in headers]
    first_line = candidates[0].header.line
    usable = [each for each in candidates if each.identifies and (each.header.line == first_line or each.is_certain)]
    headers_of_several = [each for each in usable if not each.may_be_title or {*named} & {*each.header.columns}]
    line = (headers_of_several or usable)[0].header.line if usable else first_line
    return max(
        (each for each in usable or candidates if each.header.line == line),
        key=lambda each: (
            len({*named} & {*each.header.columns}),
            len({mapped.column for mapped in each.mapping} & {*each.header.columns}),
            len(each.header.columns),
        ),
    )


def first_rows(rows: Iterator[Record]) -> Iterator[Record]:
    """Yield the first rows that can be read, but not more of them than take little memory."""
    characters = 0
    for row in islice(rows, SAMPLE_ROWS):
        characters += sum(map(len, row.fields or ()))
        if characters > SAMPLE_CHARACTERS:
            return
        if row.fields is not None:
            yield row


def _candidate(store: StoreRules, header: Header, named: Mapping[str, TraitName | None]) -> GuessedHeader:
    mapping = complete_mapping(store.trait_groups, header.columns, named)
    found = [each for each in mapping if each.column in header.columns]
    return GuessedHeader(header, mapping, bool(identifying_columns(store.trait_groups, store.settings, found)))
