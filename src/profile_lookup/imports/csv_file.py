"""Reads a CSV file (RFC 4180) record by record, however large it is, and says what is wrong with it, and where.

The parsing is the standard library's, strictly. What is ours is around it: UTF-8 is checked before the first record is
believed, the delimiter is found out, lines are numbered as an editor does, and no record takes more than some memory.
No message repeats what the file holds.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from profile_lookup.errors import FileRefused

DELIMITERS = (",", ";", "\t", "|")
MAX_FIELD = 131_072  # characters; the csv module's own limit, which is of the whole process
MAX_RECORD = 1 << 20  # characters

_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Record:
    """`line` is where it begins, from 1. `fields` is None when it cannot be read: `reason` says why."""

    line: int
    fields: Sequence[str] | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written: what is between fields, how many there are, and which of them the mapped columns are."""

    delimiter: str
    width: int
    positions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Extent:
    """`rows` does not count the header and the empty lines; of these, those after the header are counted apart."""

    rows: int
    empty_lines: int


def refuse_unreadable(file: BinaryIO) -> None:
    """What is not UTF-8, or holds NUL, which no identifier or trait may. Raises `FileRefused`."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    start = 0  # of the chunk, in the file
    while True:
        chunk = file.read(_CHUNK)
        before = len(decoder.getstate()[0])  # bytes of a character that goes on in this chunk
        nul = chunk.find(0)
        try:
            decoder.decode(chunk if nul < 0 else chunk[:nul], final=not chunk)
        except UnicodeDecodeError as error:
            at = start - before + error.start
            place = f"line {_line_of(file, at)}, byte {at + 1} of the file"
            raise FileRefused(f"{place}: expected UTF-8") from None
        if nul >= 0:
            at = start + nul
            raise FileRefused(f"line {_line_of(file, at)}, byte {at + 1} of the file: expected no NUL character")
        if not chunk:
            return
        start += len(chunk)


def headers_of(file: BinaryIO, delimiters: Sequence[str]) -> tuple[int, dict[str, Sequence[str]]]:
    """The line of the header, and what it is under each of the delimiters. Raises `FileRefused`."""
    line, headers = 1, dict[str, Sequence[str]]()
    for delimiter in delimiters:
        header = next((record for record in _records(file, delimiter) if record.fields != []), None)
        if header is None:
            raise FileRefused("expected a header: the file is empty")
        line = header.line
        headers[delimiter] = [name.strip() for name in header.fields or ()]
    return line, headers


def layout_of(file: BinaryIO, columns: Sequence[str], delimiter: str | None = None) -> Layout:
    """How a file of UTF-8 is written, by its header: the delimiter that finds all of the columns, if none is named.

    Raises `FileRefused`.
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
    """Go through the whole file, before anything of it is believed. Raises `FileRefused`."""
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
    """The records after the header, but for the first `skip`; empty lines are none. Raises `FileRefused`."""
    return islice((record for record in _after_header(file, layout) if record.fields != []), skip, None)


def _line_of(file: BinaryIO, at: int) -> int:
    file.seek(0)
    line, before = 1, b""
    while at > 0 and (chunk := file.read(min(at, _CHUNK))):
        at -= len(chunk)
        line += chunk.count(b"\n") + chunk.count(b"\r") - (before + chunk).count(b"\r\n")
        before = chunk[-1:]
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
    """All of them; an empty line is a record without fields."""
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
            text.detach()  # or the file would be closed with it


class _RecordTooLong(Exception):
    """The rest of its line is skipped already."""


class _Lines:
    """Lines with their endings, as the csv module wants them: it needs to know those within quotes."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._room = MAX_RECORD
        self._was_cut = False  # after a CR, whose LF may be still to come
        self.number = 0
        self.is_at_end = False

    def begin_record(self) -> int:
        """The number of its first line."""
        self._room = MAX_RECORD
        return self.number + 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(self._room + 1)
        if self._was_cut:
            self._was_cut = False
            if line == "\n":
                line = self._text.readline(self._room + 1)
        if not line:
            self.is_at_end = True
            raise StopIteration
        self.number += 1
        self._room -= len(line)
        if self._room < 0:
            self._skip_rest(line)
            raise _RecordTooLong
        return line

    def _skip_rest(self, line: str) -> None:
        while line and line[-1] not in "\r\n":
            line = self._text.readline(_CHUNK)
        self._was_cut = line.endswith("\r")


def _reason(error: csv.Error, first: int, last: int) -> str:
    """The csv module's own words say what stands there."""
    if "limit" not in str(error):
        return "expected nothing between a closing quote and the delimiter"
    lines = "" if first == last else f"; lines {first}-{last} were taken for one field: is a quote not closed?"
    return f"expected fields of at most {MAX_FIELD} characters{lines}"
