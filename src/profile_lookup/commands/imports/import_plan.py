"""How a file will be imported: what its header is, what its columns hold, and what is unclear about them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from profile_lookup.commands.errors import CommandError
from profile_lookup.errors import EncodingRefused
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.imports.columns.column_fit import Fit, column_fits
from profile_lookup.imports.columns.column_guesses import looks_like_a_name
from profile_lookup.imports.columns.column_mapping import MappedColumn
from profile_lookup.imports.columns.foreign_numbers import ForeignNumbers, foreign_numbers
from profile_lookup.imports.columns.guessed_header import GuessedHeader, first_rows, guessed_header
from profile_lookup.imports.columns.unmapped_columns import contact_columns
from profile_lookup.imports.columns.wire import MAX_NAME
from profile_lookup.imports.files.csv_records import Record
from profile_lookup.imports.files.encodings import refuse_unreadable, text_format_of
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.files.layout import Layout, possible_headers, rows_of
from profile_lookup.stores.rules_cache import StoreRules


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file will be read.

    - `skipped_lines`: the number of lines above the header, except empty ones and a line such as `sep=;`
    - `unclear_columns`: those that are not mapped though they seem to hold numbers or addresses
    - `unlikely_columns`: those most of whose cells do not fit their trait
    - `foreign`: numbers that would be read as US numbers, though they seem to be from elsewhere
    """

    layout: Layout
    header: Sequence[str]
    mapping: Sequence[MappedColumn]
    skipped_lines: int
    unclear_columns: Sequence[str]
    unlikely_columns: Mapping[str, Fit]
    foreign: ForeignNumbers


def planned(store: StoreRules, file: BinaryIO, named: Mapping[str, TraitName | None], options: ImportOptions) -> Plan:
    """Return how to read the file. `named` holds the traits of columns; None leaves a column out.

    Raises `FileRefused`, or `CommandError` if no row could be imported.
    """
    _refuse_unknown_traits(store, named)
    text_format = text_format_of(file, options.encoding)
    try:
        refuse_unreadable(file, text_format)
    except EncodingRefused as error:
        raise CommandError(f"{error}. The option for it is --encoding") from None
    headers = possible_headers(file, text_format, options.delimiter)
    chosen = guessed_header(store, headers, named)
    _refuse_unusable(chosen, named)
    layout = chosen.layout(text_format)
    sample = list(first_rows(rows_of(file, layout)))
    fits = column_fits(store, chosen.mapping, layout, sample, options)
    decided = {each.column for each in chosen.mapping} | named.keys()
    return Plan(
        layout=layout,
        header=chosen.header.columns,
        mapping=chosen.mapping,
        skipped_lines=len({each.line for each in headers if each.line < chosen.header.line}),
        unclear_columns=contact_columns(chosen.header.columns, decided, sample),
        unlikely_columns={column: fit for column, fit in fits.items() if fit.is_unlikely},
        foreign=ForeignNumbers() if options.country else _foreign(layout, chosen.mapping, sample),
    )


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


def _refuse_unusable(chosen: GuessedHeader, named: Mapping[str, TraitName | None]) -> None:
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
    if any(len(each.column) > MAX_NAME for each in chosen.mapping):
        raise CommandError(f"--map: expected columns of at most {MAX_NAME} characters")
