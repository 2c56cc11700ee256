"""Reads a CSV file (RFC 4180) record by record, however large it is, and says what is wrong with it, and where.

The standard library parses, in its strict mode. This module adds what that lacks: it checks UTF-8 before any record is
used, detects the delimiter, numbers lines as an editor does, and bounds the memory that a record takes. No message
repeats what the file holds.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, NamedTuple

from profile_lookup.errors import FileRefused

DELIMITERS = (",", ";", "\t", "|")
MAX_FIELD = 131_072  # characters; the csv module's own limit, which applies to the whole process
MAX_RECORD = 1 << 20  # characters

_READ_SIZE = 1 << 20  # bytes


class Record(NamedTuple):
    """`line` is the number of its first line, from 1. `fields` is None if it cannot be read; `reason` says why."""

    line: int
    fields: Sequence[str] | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written: its delimiter, how many fields its records have, and where the mapped columns are."""

    delimiter: str
    width: int
    positions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Extent:
    """`rows` counts neither the header nor empty lines. `empty_lines` counts the empty lines after the header."""

    rows: int
    empty_lines: int


def refuse_unreadable(file: BinaryIO) -> None:
    """Raise `FileRefused` if the file is not UTF-8 or holds NUL, which no identifier or trait may hold."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    start = 0  # where the chunk begins in the file
    while True:
        chunk = file.read(_READ_SIZE)
        carried = len(decoder.getstate()[0])  # bytes of a character that continues in this chunk
        nul = chunk.find(0)
        try:
            decoder.decode(chunk if nul < 0 else chunk[:nul], final=not chunk)
        except UnicodeDecodeError as error:
            offset = start - carried + error.start
            place = f"line {_line_of(file, offset)}, byte {offset + 1} of the file"
            raise FileRefused(f"{place}: expected UTF-8") from None
        if nul >= 0:
            offset = start + nul
            place = f"line {_line_of(file, offset)}, byte {offset + 1} of the file"
            raise FileRefused(f"{place}: expected no NUL character")
        if not chunk:
            return
        start += len(chunk)


def headers_of(file: BinaryIO, delimiters: Sequence[str]) -> tuple[int, dict[str, Sequence[str]]]:
    """Return the line of the header and, for each delimiter, its column names. Raises `FileRefused`."""
    line, headers = 1, dict[str, Sequence[str]]()
    for delimiter in delimiters:
        header = next((record for record in _records(file, delimiter) if record.fields != []), None)
        if header is None:
            raise FileRefused("expected a header: the file is empty")
        line = header.line
        headers[delimiter] = [name.strip() for name in header.fields or ()]
    return line, headers


def layout_of(file: BinaryIO, columns: Sequence[str], delimiter: str | None = None) -> Layout:
    """Return the layout of a file of UTF-8, read from its header.

    If no delimiter is given, it is the one that finds the most columns. Raises `FileRefused` unless the header has each
    of the columns once.
    """
    line, headers = headers_of(file, DELIMITERS if delimiter is None else (delimiter,))
    found, header = max(headers.items(), key=lambda each: len(set(each[1]) & set(columns)))
    for column in columns:
        match header.count(column):
            case 0:
                raise FileRefused(f'line {line}: expected a header with the column "{column}"')
            case 1:
                pass
            case _:
                raise FileRefused(f'line {line}: expected a header with the column "{column}" once')
    return Layout(found, len(header), {column: header.index(column) for column in columns})


def examine(file: BinaryIO, columns: Sequence[str], delimiter: str | None = None) -> tuple[Layout, Extent]:
    """Read the whole file, before any row of it is applied, and return its layout and extent. Raises `FileRefused`."""
    refuse_unreadable(file)
    layout = layout_of(file, columns, delimiter)
    rows = empty_lines = 0
    for record in _after_header(file, layout):
        if record.fields == []:
            empty_lines += 1
        else:
            rows += 1
    return layout, Extent(rows, empty_lines)


def rows_of(file: BinaryIO, layout: Layout, skip: int = 0) -> Iterator[Record]:
    """Yield the records after the header, without empty lines and the first `skip` records. Raises `FileRefused`."""
    return islice((record for record in _after_header(file, layout) if record.fields != []), skip, None)


def _line_of(file: BinaryIO, offset: int) -> int:
    file.seek(0)
    line, last_byte = 1, b""
    while offset > 0 and (chunk := file.read(min(offset, _READ_SIZE))):
        offset -= len(chunk)
        line += chunk.count(b"\n") + chunk.count(b"\r") - (last_byte + chunk).count(b"\r\n")
        last_byte = chunk[-1:]
    return line


def _after_header(file: BinaryIO, layout: Layout) -> Iterator[Record]:
    records = _records(file, layout.delimiter)
    next(record for record in records if record.fields != [])
    for record in records:
        if record.fields and len(record.fields) != layout.width:
            reason = f"expected {layout.width} fields, as the header has; found {len(record.fields)}"
            yield Record(record.line, None, reason)
        else:
            yield record


def _records(file: BinaryIO, delimiter: str) -> Iterator[Record]:
    """Yield all records of the file; an empty line is a record without fields."""
    file.seek(0)
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        while True:
            line = lines.begin_record()
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if lines.is_at_end:
                    raise FileRefused(f"line {line}: a quote is opened here that is never closed") from None
                yield Record(line, None, _reason(error, line, lines.number))
            except _RecordTooLong:
                yield Record(line, None, f"expected rows of at most {MAX_RECORD} characters")
            else:
                yield Record(line, fields)
    finally:
        if not file.closed:
            text.detach()  # otherwise the file would be closed together with it


class _RecordTooLong(Exception):
    """A record exceeds `MAX_RECORD`. The rest of its line has been skipped already."""


class _Lines:
    """Yields lines with their endings, since the csv module needs the endings that are within quotes."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._remaining = MAX_RECORD
        self._ended_in_cr = False  # its LF may follow at the next read
        self.number = 0
        self.is_at_end = False

    def begin_record(self) -> int:
        """Allow for a whole new record, and return the number of its first line."""
        self._remaining = MAX_RECORD
        return self.number + 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(self._remaining + 1)
        if self._ended_in_cr:
            self._ended_in_cr = False
            if line == "\n":
                line = self._text.readline(self._remaining + 1)
        if not line:
            self.is_at_end = True
            raise StopIteration
        self.number += 1
        self._remaining -= len(line)
        if self._remaining < 0:
            self._skip_rest(line)
            raise _RecordTooLong
        return line

    def _skip_rest(self, line: str) -> None:
        while line and line[-1] not in "\r\n":
            line = self._text.readline(_READ_SIZE)
        self._ended_in_cr = line.endswith("\r")


def _reason(error: csv.Error, first: int, last: int) -> str:
    """Return the reason in our own words, since the csv module's message may quote the file."""
    if "limit" not in str(error):
        return "expected nothing between a closing quote and the delimiter"
    lines = "" if first == last else f"; lines {first}-{last} were taken for one field: is a quote not closed?"
    return f"expected fields of at most {MAX_FIELD} characters{lines}"
