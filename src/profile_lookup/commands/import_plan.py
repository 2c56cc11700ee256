"""How a file will be imported: what its header is, what its columns hold, and what is unclear about them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from profile_lookup.commands.errors import CommandError
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.imports import wire
from profile_lookup.imports.columns.column_guesses import complete_mapping, looks_like_a_name
from profile_lookup.imports.columns.column_mapping import MappedColumn, identifying_columns
from profile_lookup.imports.columns.foreign_numbers import ForeignNumbers, foreign_numbers
from profile_lookup.imports.columns.unmapped_columns import contact_columns
from profile_lookup.imports.files.csv_records import Record
from profile_lookup.imports.files.encodings import TextFormat, refuse_unreadable, text_format_of
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.files.layout import Header, Layout, possible_headers, rows_of
from profile_lookup.stores.rules_cache import StoreRules

SAMPLE_ROWS = 1000
"""Rows that are read before the question whether to import the file."""
SAMPLE_CHARACTERS = 4 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file will be read.

    - `skipped_lines`: the number of lines above the header, except empty ones and a line such as `sep=;`
    - `unclear_columns`: those that are not mapped though they seem to hold numbers or addresses
    - `foreign`: numbers that would be read as US numbers, though they seem to be from elsewhere
    """

    layout: Layout
    header: Sequence[str]
    mapping: Sequence[MappedColumn]
    skipped_lines: int
    unclear_columns: Sequence[str]
    foreign: ForeignNumbers


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A possible header, with the mapping of its columns."""

    header: Header
    mapping: Sequence[MappedColumn]
    identifies: bool

    @property
    def is_certain(self) -> bool:
        """Return whether this can be nothing but a header, so that the lines above it are titles."""
        is_known = len(self.mapping) > 1 or len(self.mapping) == len(self.header.columns)
        return self.identifies and is_known and all(map(looks_like_a_name, self.header.columns))


def planned(store: StoreRules, file: BinaryIO, named: Mapping[str, TraitName | None], options: ImportOptions) -> Plan:
    """Return how to read the file. `named` holds the traits of columns; None leaves a column out.

    Raises `FileRefused`, or `CommandError` if no row could be imported.
    """
    _refuse_unknown_traits(store, named)
    text_format = text_format_of(file, options.encoding)
    refuse_unreadable(file, text_format)
    headers = possible_headers(file, text_format, options.delimiter)
    chosen = _chosen([_candidate(store, header, named) for header in headers], named)
    _refuse_unusable(chosen, named)
    layout = _layout(text_format, chosen)
    sample = list(_sample(rows_of(file, layout)))
    decided = {each.column for each in chosen.mapping} | named.keys()
    return Plan(
        layout=layout,
        header=chosen.header.columns,
        mapping=chosen.mapping,
        skipped_lines=len({each.line for each in headers if each.line < chosen.header.line}),
        unclear_columns=contact_columns(chosen.header.columns, decided, sample),
        foreign=ForeignNumbers() if options.country else _foreign(layout, chosen.mapping, sample),
    )


def _candidate(store: StoreRules, header: Header, named: Mapping[str, TraitName | None]) -> _Candidate:
    mapping = complete_mapping(store.trait_groups, header.columns, named)
    found = [each for each in mapping if each.column in header.columns]
    return _Candidate(header, mapping, bool(identifying_columns(store.trait_groups, store.settings, found)))


def _chosen(candidates: Sequence[_Candidate], named: Mapping[str, TraitName | None]) -> _Candidate:
    """Return the first line by which somebody is identified; there, the delimiter by which most columns are understood.

    Below the first line it must be a header for certain.
    """
    first_line = candidates[0].header.line
    usable = [each for each in candidates if each.identifies and (each.header.line == first_line or each.is_certain)]
    line = usable[0].header.line if usable else first_line
    return max(
        (each for each in usable or candidates if each.header.line == line),
        key=lambda each: (
            len({*named} & {*each.header.columns}),
            len({mapped.column for mapped in each.mapping} & {*each.header.columns}),
            len(each.header.columns),
        ),
    )


def _layout(text_format: TextFormat, chosen: _Candidate) -> Layout:
    delimiter, line, columns = chosen.header
    positions = {
        mapped.column: [place for place, name in enumerate(columns) if name == mapped.column]
        for mapped in chosen.mapping
    }
    return Layout(text_format, delimiter, line, len(columns), positions)


def _sample(rows: Iterator[Record]) -> Iterator[Record]:
    """Yield the first rows that can be read, but not more of them than take little memory."""
    characters = 0
    for row in islice(rows, SAMPLE_ROWS):
        characters += sum(map(len, row.fields or ()))
        if characters > SAMPLE_CHARACTERS:
            return
        if row.fields is not None:
            yield row


def _foreign(layout: Layout, mapping: Sequence[MappedColumn], sample: Iterable[Record]) -> ForeignNumbers:
    def places(trait: str) -> list[int]:
        columns = [each.column for each in mapping if each.trait == TraitName(CONTACT.name, trait)]
        return [place for column in columns for place in layout.positions[column]]

    rows = [row.fields for row in sample if row.fields]
    return foreign_numbers(rows, places("phone"), places("country"), places("email"))


def _refuse_unknown_traits(store: StoreRules, named: Mapping[str, TraitName | None]) -> None:
    traits = {str(TraitName(group.name, name)) for group in store.trait_groups.values() for name in group.traits}
    for trait in named.values():
        if trait is not None and str(trait) not in traits:
            raise CommandError(f"--map: there is no trait {trait}; expected one of {', '.join(sorted(traits))}")


def _refuse_unusable(chosen: _Candidate, named: Mapping[str, TraitName | None]) -> None:
    """Raise `CommandError` if no row could be imported by the mapping."""
    line, columns = chosen.header.line, chosen.header.columns
    names = [each for each in columns if each and looks_like_a_name(each)]
    known = ", ".join(names) or "nothing that looks like a name"
    if missing := [each for each in named if each not in columns]:
        raise CommandError(f"--map, --leave-out: line {line} has no column {', '.join(missing)}; it has {known}")
    if not chosen.identifies and not all(map(looks_like_a_name, columns)) and not named:
        raise CommandError(
            f"line {line} of the file seems to hold values, and not the names of the columns: insert a line above it "
            "that says what each column holds, for example Email, Phone, First Name"
        )
    if not chosen.identifies:
        delimiter = ". If it has several columns, name what separates them, --delimiter" if len(columns) == 1 else ""
        raise CommandError(
            "no column is known to hold phone numbers, e-mail addresses or what else identifies a person. Say what one "
            f'of the columns holds, --map "COLUMN=Contact.phone" or --map "COLUMN=Contact.email"; line {line} has '
            f"{known}{delimiter}. If line {line} holds values, insert a line above it that says what each column holds"
        )
    if any(len(each.column) > wire.MAX_NAME for each in chosen.mapping):
        raise CommandError(f"--map: expected columns of at most {wire.MAX_NAME} characters")
