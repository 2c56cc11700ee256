"""How a file is laid out: its delimiter, the line of its header, and where the columns are."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile, islice
from typing import BinaryIO, NamedTuple

from profile_lookup.errors import FileRefused
from profile_lookup.imports.files.csv_records import DELIMITERS, Record, records_of
from profile_lookup.imports.files.encodings import TextFormat, refuse_unreadable, text_format_of

MAX_ROWS_ABOVE_HEADER = 10
"""Titles, dates and remarks of a report. Empty lines do not count."""
MAX_HEADER = 1 << 16  # characters; a longer record is no header

_SEPARATOR_LINE = re.compile('"?sep=([^"])"?', re.IGNORECASE)
_LONGEST_SEPARATOR_LINE = 16  # characters, line end included


class Header(NamedTuple):
    """The names of the columns, and the line where they stand, if the delimiter is this one."""

    delimiter: str
    line: int
    columns: Sequence[str]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written. `width` is the number of its columns; several may have one name."""

    text_format: TextFormat
    delimiter: str
    header_line: int
    width: int
    positions: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Extent:
    """`rows` counts neither the header nor empty lines. `empty_lines` counts the empty lines after the header."""

    rows: int
    empty_lines: int


def possible_headers(file: BinaryIO, text_format: TextFormat, delimiter: str | None = None) -> list[Header]:
    """Return what may be the header: each of the first records, split at each delimiter that the file may have.

    The earlier record comes first. A line `sep=;`, which Excel writes and reads, is no record: it names the delimiter
    that is tried first. Raises `FileRefused` if the file is empty.
    """
    line_of_separator, separator = _separator(file, text_format)
    delimiters = [delimiter] if delimiter else dict.fromkeys((separator or DELIMITERS[0], *DELIMITERS))
    found: list[tuple[int, Header]] = []
    refusal = FileRefused("expected a header: the file is empty")
    for each in delimiters:
        records = (record for record in records_of(file, text_format, each) if record.line > line_of_separator)
        readable = (record for record in records if record.fields != [])
        try:
            for number, record in enumerate(islice(readable, 1 + MAX_ROWS_ABOVE_HEADER)):
                found.append((number, Header(each, record.line, _names(record))))
        except FileRefused as refused:  # a wrong delimiter may make it seem that a quote is never closed
            refusal = refused
    if not found:
        raise refusal
    return [header for _, header in sorted(found, key=lambda numbered: numbered[0])]


def layout_of(
    file: BinaryIO, columns: Sequence[str], delimiter: str | None = None, encoding: str | None = None
) -> Layout:
    """Return the layout of a file whose header has these columns.

    The header is the first record that has most of them. If no delimiter is given, it is the one that finds the most.
    Raises `FileRefused` unless the header has each of the columns.
    """
    text_format = text_format_of(file, encoding)
    headers = possible_headers(file, text_format, delimiter)
    header = max(headers, key=lambda each: len(set(each.columns) & set(columns)))
    for column in columns:
        if column not in header.columns:
            raise FileRefused(f'line {header.line}: expected a header with the column "{column}"')
    positions = {
        column: [place for place, name in enumerate(header.columns) if name == column]
        for column in dict.fromkeys(columns)
    }
    return Layout(text_format, header.delimiter, header.line, len(header.columns), positions)


def examine(
    file: BinaryIO, columns: Sequence[str], delimiter: str | None = None, encoding: str | None = None
) -> tuple[Layout, Extent]:
    """Read the whole file, before any row of it is applied, and return its layout and extent. Raises `FileRefused`."""
    refuse_unreadable(file, text_format_of(file, encoding))
    layout = layout_of(file, columns, delimiter, encoding)
    rows = empty_lines = 0
    for record in _records_after_header(file, layout):
        if record.fields == []:
            empty_lines += 1
        else:
            rows += 1
    return layout, Extent(rows, empty_lines)


def rows_of(file: BinaryIO, layout: Layout, skip: int = 0) -> Iterator[Record]:
    """Yield the records after the header, without empty lines and the first `skip` records.

    Each has as many fields as the header, or None. Raises `FileRefused`.
    """
    width = layout.width
    records = (record for record in _records_after_header(file, layout) if record.fields != [])
    for record in islice(records, skip, None):
        if record.fields is None or len(record.fields) == width:
            yield record
        else:
            yield _fitted(record.line, record.fields, width)


def _names(record: Record) -> list[str]:
    fields = record.fields or ()
    return [name.strip() for name in fields] if sum(map(len, fields)) <= MAX_HEADER else []


def _separator(file: BinaryIO, text_format: TextFormat) -> tuple[int, str | None]:
    """Return 1 and the delimiter if the first line names it, else 0 and None."""
    file.seek(text_format.start)
    beginning = file.read(4 * _LONGEST_SEPARATOR_LINE).decode(text_format.encoding, errors="replace")
    first_line = re.split("[\r\n]", beginning, maxsplit=1)[0]
    named = _SEPARATOR_LINE.fullmatch(first_line.rstrip())
    if named is None and first_line.lower() == "sep=\t":
        return 1, "\t"
    return (1, named[1]) if named else (0, None)


def _records_after_header(file: BinaryIO, layout: Layout) -> Iterator[Record]:
    records = records_of(file, layout.text_format, layout.delimiter)
    return dropwhile(lambda record: record.line <= layout.header_line, records)


def _fitted(line: int, fields: Sequence[str], width: int) -> Record:
    """Return the record with as many fields as the header has.

    Programs leave out empty fields at the end of a line, or write a delimiter after the last field.
    """
    if len(fields) < width:
        return Record(line, [*fields, *[""] * (width - len(fields))])
    if any(field.strip() for field in fields[width:]):
        reason = (
            f"expected {width} fields, as the header has; found {len(fields)}. "
            "A field that contains the delimiter must stand in quotes"
        )
        return Record(line, None, reason)
    return Record(line, fields[:width])
