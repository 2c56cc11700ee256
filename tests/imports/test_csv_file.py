"""The reader of CSV files, tested with realistic and with hostile files."""

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_lookup.errors import FileRefused
from profile_lookup.imports.files import csv_records, encodings
from profile_lookup.imports.files.csv_records import DELIMITERS, MAX_FIELD, MAX_RECORD, Record
from profile_lookup.imports.files.layout import Extent, examine, rows_of

QUOTES = "A field that contains the delimiter must stand in quotes"
SAVE = 'save it as "CSV UTF-8" (in Excel: File, Save As, CSV UTF-8)'
NAME_IT = "name its encoding"
WESTERN = (
    f"It looks like Windows-1252, in which Excel writes CSV files for western languages: {SAVE}, or {NAME_IT}: cp1252"
)
OTHER_ALPHABET = (
    f"It looks like the older encoding of a language with another alphabet: {SAVE}, or {NAME_IT}: "
    "cp1251 (Cyrillic), cp1253 (Greek), shift_jis (Japanese) or gbk (Chinese)"
)
DAMAGED = f"expected UTF-8, which the text before it is. Type this place anew, and {SAVE}"
UTF_16 = f"This looks like UTF-16 without its byte order mark: {NAME_IT}"

Rows = list[tuple[int, Sequence[str] | None]]


def _read(content: bytes | str, columns: Sequence[str] = ("a", "b"), delimiter: str | None = None) -> list[Record]:
    file = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    layout, extent = examine(file, columns, delimiter)
    records = list(rows_of(file, layout))
    assert extent.rows == len(records)
    return records


def _fields(content: bytes | str, columns: Sequence[str] = ("a", "b")) -> Rows:
    return [(record.line, record.fields) for record in _read(content, columns)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a,b\n1,2\n3,4\n", [(2, ["1", "2"]), (3, ["3", "4"])]),
        ("a,b\r\n1,2\r\n3,4", [(2, ["1", "2"]), (3, ["3", "4"])]),
        ("a,b\r1,2\r3,4\r", [(2, ["1", "2"]), (3, ["3", "4"])]),
        ("\ufeffa,b\n1,2\n", [(2, ["1", "2"])]),
        ("a;b\n1,5;2\n", [(2, ["1,5", "2"])]),
        ("a\tb\n1;,2\t3\n", [(2, ["1;,2", "3"])]),
        ("a|b\n1|\n", [(2, ["1", ""])]),
        ("x;y,a,b\n0,1,2\n", [(2, ["0", "1", "2"])]),
        ('"a","b"\n"1,""one""","2\nlines"\n3,4\n', [(2, ['1,"one"', "2\nlines"]), (4, ["3", "4"])]),
        ('a,b\n"1\r\n\r\n","2"\r\n3,4\r\n', [(2, ["1\r\n\r\n", "2"]), (5, ["3", "4"])]),
        ('"a";"b"\n1;"x;y"\n', [(2, ["1", "x;y"])]),
        (" a , b \n1, 2\n", [(2, ["1", " 2"])]),
        ("\n\na,b\n1,2\n", [(4, ["1", "2"])]),
        ("a,b\n\n1,2\n\r\n\n3,4\n\n", [(3, ["1", "2"]), (6, ["3", "4"])]),
        ('a,b\n5" pipe,2\n', [(2, ['5" pipe', "2"])]),
        ("a,b\n1\v\f\x1c\x85\u2028\u2029x,2\n", [(2, ["1\v\f\x1c\x85\u2028\u2029x", "2"])]),
        ("a,b\n\U0001f600é,ß\n", [(2, ["\U0001f600é", "ß"])]),
        ("a,b\n", []),
        ("a,b", []),
        ("a,b\n1,2,\n3,4,,  ,\n", [(2, ["1", "2"]), (3, ["3", "4"])]),
        ("a,b\n1\n \n", [(2, ["1", ""]), (3, [" ", ""])]),
        ("a,b,\n1,2,\n3\n", [(2, ["1", "2", ""]), (3, ["3", "", ""])]),
        ("sep=;\na;b\n1,5;2\n", [(3, ["1,5", "2"])]),
        ('"sep=:"\r\na:b\r\n1:2\r\n', [(3, ["1", "2"])]),
        ("sep=\t\na\tb\n1\t2\n", [(3, ["1", "2"])]),
        ("sep=;\na,b\n1;,2\n", [(3, ["1;", "2"])]),  # somebody has saved the file anew
        ("\ufeffsep=|\ra|b\r1|2\r", [(3, ["1", "2"])]),
        ("Customers\n\nof 2026,,\na,b\n1,2\n", [(5, ["1", "2"])]),
        ("\ufeff\ufeff\ufeffa,b\n1,2\n", [(2, ["1", "2"])]),
        ('"a","b"\n"1","\r"\n', [(2, ["1", "\r"])]),  # with another delimiter, a quote would never be closed
    ],
)  # fmt: skip
def test_a_file_is_read_by_rfc_4180_with_any_line_end_and_delimiter(content: str, expected: Rows) -> None:
    assert _fields(content) == expected


def test_a_header_may_contain_line_breaks() -> None:
    assert _fields('"a\nx",b\n1,2\n', ["a\nx", "b"]) == [(3, ["1", "2"])]


def test_a_given_delimiter_is_used() -> None:
    assert [record.fields for record in _read("a:b\n1:2\n", delimiter=":")] == [["1", "2"]]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,2,3", f"expected 2 fields, as the header has; found 3. {QUOTES}"),
        ("1,2,,3", f"expected 2 fields, as the header has; found 4. {QUOTES}"),
        ('"1"x,2', "expected nothing between a closing quote and the delimiter"),
        ('"1" ,2', "expected nothing between a closing quote and the delimiter"),
        (f"1,{'x' * (MAX_FIELD + 1)}", f"expected fields of at most {MAX_FIELD} characters"),
        (f'1,"{"x" * (MAX_FIELD + 1)}"', f"expected fields of at most {MAX_FIELD} characters"),
        ("x," * (MAX_RECORD // 2 + 1), f"expected rows of at most {MAX_RECORD} characters"),
    ],
)
def test_an_unreadable_row_is_refused_and_the_others_are_read(row: str, reason: str) -> None:
    before, refused, after = _read(f"a,b\n0,0\n{row}\n9,9\n")
    assert (before.fields, after.fields, after.line) == (["0", "0"], ["9", "9"], 4)
    assert refused == Record(3, None, reason)


def test_an_unclosed_quote_refuses_no_more_rows_than_the_longest_field_takes() -> None:
    lines = ["a,b", '1,"2', *["x,y"] * 100_000]
    refused, *others = _read("\n".join(lines))
    assert (refused.line, refused.fields) == (2, None)
    assert refused.reason.startswith(f"expected fields of at most {MAX_FIELD} characters; lines 2-")
    assert refused.reason.endswith(": is a quote not closed?")
    assert others[-1] == Record(100_002, ["x", "y"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,b\n1,\xe9\n", f"line 2, byte 7 of the file: expected UTF-8. {WESTERN}"),
        (b"a,b\r\n1,2\r\n3,\xc3", f"line 3, byte 13 of the file: expected UTF-8. {WESTERN}"),
        (b"a,b\r1,2\r\xed\xa0\x80,4", f"line 3, byte 9 of the file: expected UTF-8. {OTHER_ALPHABET}"),
        ("a,b\nä,".encode() + b"\xe4\n", f"line 2, byte 8 of the file: {DAMAGED}"),
        ("a,b\n1,Владимир\n".encode("cp1251"), f"line 2, byte 7 of the file: expected UTF-8. {OTHER_ALPHABET}"),
        (
            "a,b\n1,2\n".encode("utf-16-le"),
            f"line 1, byte 2 of the file: expected no NUL character. {UTF_16}: utf-16-le",
        ),
        (
            "a,b\n1,2\n".encode("utf-16-be"),
            f"line 1, byte 1 of the file: expected no NUL character. {UTF_16}: utf-16-be",
        ),
        ("\ufeffa,b\n1,\0\n".encode("utf-16-le"), "line 2, byte 15 of the file: expected no NUL character"),
        (
            b"\xff\xfea\0,\0b\0\n\0\0\xd8,\0",
            f"line 2, byte 11 of the file: this is no text in the encoding utf-16-le; {SAVE}",
        ),
        (
            b"PK\x03\x04\x14\0",
            f"this is an Excel workbook (.xlsx) or another packed file, and not a CSV file; open it and {SAVE}",
        ),
        (b"a,b\n1,\0\n", "line 2, byte 7 of the file: expected no NUL character"),
        (b"a,b\n1,\0\xff\n", "line 2, byte 7 of the file: expected no NUL character"),
        (b"a,b\n1,\xff\0\n", f"line 2, byte 7 of the file: expected UTF-8. {WESTERN}"),
        (b"\n\r\n", "expected a header: the file is empty"),
        (b"\xef\xbb\xbf", "expected a header: the file is empty"),
        (b"\na,c\n1,2\n", 'line 2: expected a header with the column "b"'),
        (b"A,B\n1,2\n", 'line 1: expected a header with the column "a"'),
        (b"a:b\n1,2\n", 'line 1: expected a header with the column "a"'),
        (b"b;c\n1;2\n", 'line 1: expected a header with the column "a"'),
        (b'a,b\n1,2\n3,"4\n5,6\n', "line 3: a quote is opened here that is never closed"),
        (b'"a,b\n1,2\n', "line 1: a quote is opened here that is never closed"),
    ],
)
def test_an_unreadable_file_is_refused_with_the_position_of_the_error(content: bytes, reason: str) -> None:
    with pytest.raises(FileRefused) as refused:
        _read(content)
    assert str(refused.value) == f"file: {reason}"


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n"])
def test_line_numbers_are_correct_after_a_row_that_is_too_long(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_records, "MAX_RECORD", 8)
    monkeypatch.setattr(csv_records, "_READ_SIZE", 4)
    for length in range(5, 20):
        lines = ["a,b", "x" * length + ",1", "9,9", ""]
        assert _read(ending.join(lines))[1:] == [Record(3, ["9", "9"])]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_position_of_an_error_does_not_depend_on_the_chunk_size(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encodings, "_READ_SIZE", size)
    for content, place in (
        ("a,b\r\n1,é\r\n".encode() + b"\xff", "line 3, byte 12"),
        (b"a\r\r\n\r\0", "line 4, byte 6"),
    ):
        with pytest.raises(FileRefused, match=place):
            _read(content)


def test_columns_of_one_name_are_all_found() -> None:
    layout, _ = examine(io.BytesIO(b"a,b, a\n1,2,3\n"), ["a"])
    assert layout.positions == {"a": [0, 2]}


def test_the_first_of_the_lines_that_have_most_columns_is_the_header() -> None:
    file = io.BytesIO(b"a report\na\na,b\na,b\n")
    layout, extent = examine(file, ["a", "b"])
    assert (layout.header_line, extent) == (3, Extent(rows=1, empty_lines=0))


def test_finished_rows_are_skipped() -> None:
    file = io.BytesIO(b"a,b\n1,2\n\n1,2,3\n3,4\n")
    layout, extent = examine(file, ["b", "a"])
    assert extent == Extent(rows=3, empty_lines=1)
    assert layout.positions == {"b": [1], "a": [0]}
    assert [record.line for record in rows_of(file, layout, skip=1)] == [4, 5]
    assert list(rows_of(file, layout, skip=3)) == []
    assert not file.closed


# NUL is left out, because it is refused.
cells = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@given(
    rows=st.lists(st.lists(cells, min_size=3, max_size=3), max_size=8),
    delimiter=st.sampled_from(DELIMITERS),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    has_mark=st.booleans(),
)
def test_the_output_of_a_csv_writer_is_read_back(
    rows: list[list[str]], delimiter: str, line_end: str, quoting: int, has_mark: bool
) -> None:
    written = io.StringIO()
    header = ["Name, first; last", "b\tc", 'd"|"e']
    if any(end in cell for row in rows for cell in row for end in "\r\n"):
        quoting = csv.QUOTE_ALL  # Python 3.11 does not quote both kinds of line ends
    writer = csv.writer(written, delimiter=delimiter, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([header, *rows])
    content = written.getvalue().encode("utf-8-sig" if has_mark else "utf-8")
    assert [record.fields for record in _read(content, [header[2], header[0]])] == rows
