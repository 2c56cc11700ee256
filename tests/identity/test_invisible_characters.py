"""Characters that cannot be seen are those of Unicode's table, and are removed everywhere or at both ends."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_lookup.identity.values.invisible_characters import _DEFAULT_IGNORABLE, trimmed, without_invisible

INVISIBLE = {chr(code) for first, last in _DEFAULT_IGNORABLE for code in range(first, last + 1)}
text = st.text(st.sampled_from([*"aé \t\u00a0\u3000", *sorted(INVISIBLE)[:40], "\U000e0001", "👩"]), max_size=12)


def test_the_table_has_as_many_code_points_as_unicode_says() -> None:
    assert len(INVISIBLE) == 4174  # "Total code points" of the property in DerivedCoreProperties.txt


def test_the_ranges_of_the_table_are_in_order_and_do_not_touch() -> None:
    flat = [bound for bounds in _DEFAULT_IGNORABLE for bound in bounds]
    assert flat == sorted(flat)
    assert all(last + 1 < first for last, first in zip(flat[1::2], flat[2::2], strict=False))


def test_the_table_holds_no_white_space_digit_or_letter_with_case() -> None:
    assert not [each for each in INVISIBLE if each.isspace() or each.isdecimal() or each.lower() != each.upper()]


@pytest.mark.parametrize(
    "code",
    [
        *(0x00AD, 0x034F, 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)),
        *(*range(0xFE00, 0xFE10), 0xFEFF, 0xE0001, 0xE0100, 0xE01EF),
    ],
)
def test_a_character_that_cannot_be_seen_is_removed(code: int) -> None:
    assert without_invisible(f"a{chr(code)}b") == "ab"
    assert trimmed(f"{chr(code)}a b{chr(code)}") == "a b"


@pytest.mark.parametrize("seen", ["a", "é", " ", "\u00a0", "\u2800", "\u20e3", "\u0301", "👩", "\ufffd", "\u2028"])
def test_a_character_that_can_be_seen_or_is_white_space_is_not_removed(seen: str) -> None:
    assert without_invisible(seen) == seen


@given(text)
def test_what_remains_is_the_text_without_the_characters_of_the_table(value: str) -> None:
    assert without_invisible(value) == "".join(each for each in value if each not in INVISIBLE)


@given(text)
def test_trimming_removes_both_ends_as_far_as_they_are_blank(value: str) -> None:
    expected = value
    while expected and (expected[0].isspace() or expected[0] in INVISIBLE):
        expected = expected[1:]
    while expected and (expected[-1].isspace() or expected[-1] in INVISIBLE):
        expected = expected[:-1]
    assert trimmed(value) == expected


def test_characters_of_the_category_format_that_are_not_in_the_table_can_be_seen() -> None:
    """They are marks of Arabic and other scripts around or under digits, and annotations."""
    others = {chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf"} - INVISIBLE
    assert {unicodedata.name(each).split()[0] for each in others} <= {
        "ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN", "INTERLINEAR",
    }  # fmt: skip
