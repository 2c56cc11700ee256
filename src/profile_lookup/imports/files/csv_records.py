"""Reads a CSV file (RFC 4180) record by record, however large it is, and says what is wrong with it, and where.

The standard library parses, in its strict mode. This module adds what that lacks: it numbers lines as an editor does,
and bounds the memory that a record takes. No message repeats what the file holds.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from profile_lookup.errors import FileRefused
from profile_lookup.imports.files.encodings import TextFormat

DELIMITERS = (",", ";", "\t", "|")
MAX_FIELD = 131_072  # characters; the csv module's own limit, which applies to the whole process
MAX_RECORD = 1 << 20  # characters

_READ_SIZE = 1 << 20  # characters


class Record(NamedTuple):
    """`line` is the number of its first line, from 1. `fields` is None if it cannot be read; `reason` says why."""

    line: int
    fields: Sequence[str] | None
    reason: str = ""


def records_of(file: BinaryIO, text_format: TextFormat, delimiter: str) -> Iterator[Record]:
    """Yield all records of the file; an empty line is a record without fields. Raises `FileRefused`."""
    file.seek(text_format.start)
    text = io.TextIOWrapper(file, text_format.encoding, newline="")
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
