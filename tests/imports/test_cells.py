"""What a cell holds, without what other programs put around it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.normalization import Normalization
from profile_lookup.imports.files.cells import MAX_LIST, text_of, values_of

EMAILS = [
    ("ann@example.com", ["ann@example.com"]),
    (" Ann@Example.com ", ["Ann@Example.com"]),
    ("ann@example.com, ann@work.example", ["ann@example.com", "ann@work.example"]),
    ("ann@example.com;ann@work.example;", ["ann@example.com", "ann@work.example"]),
    ("ann@example.com; ann@work.example, bo@work.example",
     ["ann@example.com", "ann@work.example", "bo@work.example"]),
    ("ann@example.com ::: ann@work.example", ["ann@example.com", "ann@work.example"]),
    ("ann@example.com\r\n\nann@work.example\n", ["ann@example.com", "ann@work.example"]),
    ("ann@example.com\u2028ann@work.example", ["ann@example.com", "ann@work.example"]),
    ("Ann Lee <ann@example.com>", ["ann@example.com"]),
    ('"Lee, Ann" <ann@example.com>', ["ann@example.com"]),
    ("Lee, Ann <ann@example.com>; Lind, Bo <bo@example.com>", ["ann@example.com", "bo@example.com"]),
    ("Lee, Ann <ann@example.com>, Lind, Bo <bo@example.com>", ["ann@example.com", "bo@example.com"]),
    ("Ann <ann@example.com>, bo@example.com", ["ann@example.com", "bo@example.com"]),
    ("<ann@example.com>", ["ann@example.com"]),
    ("mailto:ann@example.com", ["ann@example.com"]),
    ("MAILTO:ann@example.com?subject=Hi", ["ann@example.com"]),
    ('<a href="mailto:ann@example.com?subject=x">Write to Ann</a>', ["ann@example.com"]),
    ("<p>ann@example.com</p><p>bo@example.com</p>", ["ann@example.com", "bo@example.com"]),
    ("<b>a&amp;b@example.com</b>", ["a&b@example.com"]),
    ("'ann@example.com", ["ann@example.com"]),
    ("'ann@example.com'", ["ann@example.com"]),
    ('="ann@example.com"', ["ann@example.com"]),
    ("o'hara@example.com", ["o'hara@example.com"]),
    ("bo@example.com/bo@work.example", ["bo@example.com/bo@work.example"]),
    ("ann@example.com, call first", ["ann@example.com, call first"]),
    ("n/a", ["n/a"]), ("#N/A", ["#N/A"]), (" ", []), ("'", []), ('=""', []), (";", []),
]  # fmt: skip
PHONES = [
    ("+34 612 345 678", ["+34 612 345 678"]),
    ("(415) 555-0123", ["(415) 555-0123"]),
    ("030 / 90182-0", ["030 / 90182-0"]),
    ("'+34612345678", ["+34612345678"]),
    ('="+447911123456"', ["+447911123456"]),
    ("4155550121.0", ["4155550121.0"]),
    ("+1 415-555-0111 ::: +1 415-555-0112", ["+1 415-555-0111", "+1 415-555-0112"]),
    ("+34612345678, +34612345679", ["+34612345678", "+34612345679"]),
    ("+34612345678;+34612345679", ["+34612345678", "+34612345679"]),
    ("+14155550121;ext=5", ["+14155550121;ext=5"]),
    ("+14155550121, 5", ["+14155550121, 5"]),
    ('<a href="tel:+34612345678">call</a>', ["+34612345678"]),
]


@pytest.mark.parametrize(("cell", "values"), EMAILS)
def test_the_addresses_of_a_cell_are_its_values(cell: str, values: list[str]) -> None:
    assert [value.strip() for value in values_of(cell, "email")] == values


@pytest.mark.parametrize(("cell", "values"), PHONES)
def test_the_numbers_of_a_cell_are_its_values(cell: str, values: list[str]) -> None:
    assert [value.strip() for value in values_of(cell, "phone")] == values


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("chat; 7, 8", ["chat; 7, 8"]), ("a ::: b", ["a", "b"]), ("a:::b", ["a:::b"]), ("'007", ["007"]),
        ("x\ny", ["x", "y"]), ("1E5", ["1E5"]), ("a <b@c>", ["a <b@c>"]),
    ],
)  # fmt: skip
def test_other_identifiers_are_separated_only_by_what_is_in_none_of_them(cell: str, values: list[str]) -> None:
    assert list(values_of(cell, "trim")) == values


@pytest.mark.parametrize("cell", ["a ::: b", " a ", "x\ny", "'ann"])
def test_a_value_that_is_stored_as_it_is_is_read_as_it_is(cell: str) -> None:
    assert list(values_of(cell, "none")) == [cell]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        *((cell, "a spreadsheet shortened this number") for cell in ("4,47911E+11", "4.47911E+11", "4e+11", "-1E+5")),
        *((cell, "a spreadsheet shows this") for cell in ("###", "########", "#NAME?", "#REF!", "#value!", "#DIV/0!")),
        *((cell, "this is a formula") for cell in ("=A1", '=HYPERLINK("x","y")', '="a"&"b"', "=1+1")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("normalization", ["phone", "email", "trim"])
def test_what_a_spreadsheet_shows_instead_of_a_value_is_refused_with_what_to_do(
    cell: str, reason: str, normalization: Normalization
) -> None:
    with pytest.raises(ValueRefused) as refused:
        values_of(cell, normalization)
    assert reason in refused.value.reason
    assert cell not in refused.value.reason


@pytest.mark.parametrize("cell", ["4.47911E11", "4,47911e011"])
def test_a_shortened_phone_number_is_recognized_without_its_plus(cell: str) -> None:
    with pytest.raises(ValueRefused, match="a spreadsheet shortened this number"):
        values_of(cell, "phone")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("Ann", "Ann"), ("'28001", "28001"), ("'=1+1", "=1+1"), ("'@ann", "@ann"), ("'+1", "+1"), ("'-x", "-x"),
        ("'t Hart", "'t Hart"), ("'", "'"), ('="007"', "007"), ('="a""b"', 'a"b'), ('=""', ""), ("=", "="),
        ("#1", "#1"), ("##", "##"), ("4.5E+11", "4.5E+11"), ("a\nb", "a\nb"), (" x ", " x "), ("a; b", "a; b"),
    ],
)  # fmt: skip
def test_other_text_is_left_as_it_is_but_for_what_marks_it_as_text(cell: str, text: str) -> None:
    assert text_of(cell) == text


@pytest.mark.parametrize("cell", ["=1+1", "#####", "#REF!"])
def test_a_formula_is_no_text(cell: str) -> None:
    with pytest.raises(ValueRefused):
        text_of(cell)


@pytest.mark.parametrize(
    "part", ["<a href=mailto:", "<a ", "<b@", "<", " ", "@", " ::: ", ";a@b", ",1234567", '="', '=""', "\n"]
)
@pytest.mark.parametrize("normalization", ["phone", "email", "trim"])
def test_a_long_list_is_refused_and_a_shorter_one_raises_nothing_else(part: str, normalization: Normalization) -> None:
    with suppress(ValueRefused):
        values_of("x" + part * (MAX_LIST // len(part) - 1), normalization)
    with pytest.raises(ValueRefused, match="expected at most 2048 characters"):
        values_of("x;" + part * MAX_LIST, normalization)


@given(st.text(min_size=1, max_size=30), st.sampled_from(["phone", "email", "trim", "none"]))
def test_a_cell_is_read_or_refused(cell: str, normalization: Normalization) -> None:
    try:
        assert all(value.strip() or normalization == "none" for value in values_of(cell, normalization))
    except ValueRefused:
        return
