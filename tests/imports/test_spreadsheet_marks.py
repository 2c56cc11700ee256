"""What an export writes, a spreadsheet takes for text, and an import reads as what it was."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.normalization import Normalization, normalize
from profile_lookup.imports.files.cells import text_of, values_of
from profile_lookup.imports.files.csv_records import records_of
from profile_lookup.imports.files.encodings import TextFormat
from profile_lookup.imports.files.spreadsheet_marks import marked, marked_identifier

BEGINNINGS = st.lists(st.sampled_from(["'", "''", "=", "@", "+", "-", "\t", "\r", "\n", "#", "###", "1", '"', " "]))
TEXTS = st.builds("{}{}".format, BEGINNINGS.map("".join), st.text(st.characters(exclude_categories=["Cs"]), max_size=9))
ADDRESSES = st.builds(
    "{}{}@example.com{}".format,
    st.lists(st.sampled_from("'=+-#1@ab"), max_size=5).map("".join),
    st.text(st.sampled_from("'=+-#1ab"), min_size=1, max_size=5),
    st.sampled_from(("", "'", "''")),
)


def _cells_read(texts: list[str]) -> list[str]:
    """Return the cells that an import reads from a row that an export wrote."""
    written = io.StringIO()
    csv.writer(written).writerow(texts)
    (record,) = records_of(io.BytesIO(written.getvalue().encode()), TextFormat(), ",")
    assert record.fields is not None
    return list(record.fields)


@given(st.lists(TEXTS.filter(bool), min_size=1, max_size=5))
@example(["'=1", "''=1", "=1", "'", "''", "'1", "#NAME?", "'#NAME?", "###", '="a"', "-", "+49", "-5", "+4 9", "'tis"])
def test_each_text_is_imported_as_it_was_before_the_export(texts: list[str]) -> None:
    texts = [text.replace("\0", "") or "-" for text in texts]
    assert [text_of(cell) for cell in _cells_read(list(map(marked, texts)))] == texts


@given(ADDRESSES)
@example("''a@example.com")
@example("'=a@example.com")
@example("=a@example.com'")
def test_each_address_is_imported_as_it_was_before_the_export(address: str) -> None:
    _is_imported_as_it_was("email", address)


@given(st.text(st.sampled_from("0123456789"), min_size=4, max_size=12))
def test_each_number_is_exported_as_it_is(digits: str) -> None:
    _is_imported_as_it_was("phone", f"+{digits}")
    assert marked_identifier(f"+{digits}") == f"+{digits}"


def _is_imported_as_it_was(kind: Normalization, value: str) -> None:
    try:
        value = normalize(kind, value)
    except ValueRefused:
        return
    (cell,) = _cells_read([marked_identifier(value)])
    assert values_of(cell, kind) == (value,)


@pytest.mark.parametrize(
    "text", ["=1+1", "@SUM(A1)", "\t=1", "\r=1", "+1+1", "-1-1", "-", "+1 2", "'=1", "'5", "#NAME?"]
)
def test_what_a_spreadsheet_would_change_is_marked(text: str) -> None:
    assert marked(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Ann", "+4930901820", "-5", "5", "O'Neil", "'tis", "a=1", "#1 fan"])
def test_other_texts_are_exported_as_they_are(text: str) -> None:
    assert marked(text) == text
