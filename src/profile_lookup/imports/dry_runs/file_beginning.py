"""How the beginning of a file would be read: what its columns hold, and its first rows."""

import codecs
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import BinaryIO

from profile_lookup.errors import FileRefused
from profile_lookup.identity.profile import TraitName
from profile_lookup.imports.columns.column_fit import column_fits
from profile_lookup.imports.columns.guessed_header import first_rows, guessed_header
from profile_lookup.imports.columns.unmapped_columns import contact_columns
from profile_lookup.imports.dry_runs.first_rows import MAX_PREVIEWED
from profile_lookup.imports.files.csv_records import Record
from profile_lookup.imports.files.encodings import TextFormat, refuse_unreadable, text_format_of
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.files.layout import Layout, possible_headers, rows_of
from profile_lookup.imports.row_rules import RowRules
from profile_lookup.stores.rules_cache import StoreRules

MAX_BEGINNING = 64 << 10
"""Bytes. The last line of a beginning of this size does not count, since it may be cut off."""


@dataclass(frozen=True, slots=True)
class GuessedColumn:
    """A column of the file. `trait` is None if it would be left out; `confidence` is from 0 to 1."""

    name: str
    trait: TraitName | None
    confidence: float


@dataclass(frozen=True, slots=True)
class FileBeginning:
    """How a file would be read. `identifies`: whether any column identifies; without one, no row can be imported.

    `header` has the names of all columns in the file's order, and `unclear` those that are left out without a choice
    although they seem to hold numbers or addresses.
    """

    header: Sequence[str]
    columns: list[GuessedColumn]
    unclear: Sequence[str]
    row_rules: RowRules
    records: list[Record]
    identifies: bool

    @property
    def layout(self) -> Layout:
        return self.row_rules.layout


def file_beginning(
    store: StoreRules,
    content: bytes,
    options: ImportOptions,
    named: Mapping[str, TraitName | None] = MappingProxyType({}),
) -> FileBeginning:
    """Return how a file that begins so would be read. `named` holds the traits of columns; None leaves a column out.

    Raises `FileRefused`.
    """
    is_cut = len(content) >= MAX_BEGINNING
    file = io.BytesIO(content)
    text_format = text_format_of(file, options.encoding)
    if is_cut:
        file = io.BytesIO(_whole_lines(content, text_format))
    refuse_unreadable(file, text_format)
    guessed = guessed_header(store, possible_headers(file, text_format, options.delimiter), named)
    header = guessed.header.columns
    mapping = [each for each in guessed.mapping if each.column in header]
    layout = guessed.layout(text_format)
    sample = list(first_rows(_rows(file, layout, is_cut=is_cut)))
    fits = column_fits(store, mapping, layout, sample, options)
    traits: Mapping[str, TraitName] = dict(mapping)
    columns = [
        GuessedColumn(name, traits.get(name), fits[name].share if name in fits else 0.0)
        for name in dict.fromkeys(header)
    ]
    records = list(islice(_rows(file, layout, is_cut=is_cut), MAX_PREVIEWED))
    unclear = contact_columns(header, traits.keys() | named.keys(), sample)
    return FileBeginning(header, columns, unclear, RowRules(mapping, layout, options), records, guessed.identifies)


def _whole_lines(content: bytes, text_format: TextFormat) -> bytes:
    """Return the content up to its last line end, if it is in its encoding: its last character may be cut off, too."""
    decoder = codecs.getincrementaldecoder(text_format.encoding)()
    try:
        text = decoder.decode(content[text_format.start :])
    except UnicodeDecodeError:
        return content
    end = max(text.rfind("\n"), text.rfind("\r")) + 1
    return content[: text_format.start] + text[:end].encode(text_format.encoding)


def _rows(file: BinaryIO, layout: Layout, *, is_cut: bool) -> Iterator[Record]:
    """Yield the rows. If the file was cut, a quote may be opened in it that is closed behind."""
    try:
        yield from rows_of(file, layout)
    except FileRefused:
        if not is_cut:
            raise
