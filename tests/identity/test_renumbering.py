"""Old numbers are read as their new ones; no new number is an old one; the page shows the table."""

import re
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.normalization import normalize
from profile_lookup.identity.values.renumbering import RENUMBERINGS, Change, Renumbering, renumbered

PAGE = (Path(__file__).parents[2] / "docs" / "renumbering.md").read_text(encoding="utf-8")
CHANGES = [(renumbering, change) for renumbering in RENUMBERINGS for change in renumbering.changes]
EXAMPLES = [(old, new) for renumbering in RENUMBERINGS for old, new in renumbering.examples.items()]

each_change = pytest.mark.parametrize(("renumbering", "change"), CHANGES, ids=[change.old for _, change in CHANGES])


def phone(value: str) -> str | None:
    """Return None for a value that is refused."""
    try:
        return normalize("phone", value)
    except ValueRefused:
        return None


def without_plus(old: str, new: str) -> str:
    """Return what the digits of an old number give: ten that look like a US number are one."""
    return f"+1{old[1:]}" if re.fullmatch("[2-9][0-9]{2}[2-9][0-9]{6}", old[1:]) else new


def old_number(data: st.DataObject, change: Change) -> str:
    return data.draw(st.from_regex(re.compile(change.old, re.ASCII), fullmatch=True))


def new_number(change: Change, old: str) -> str:
    matched = re.fullmatch(change.old, old, re.ASCII)
    assert matched
    return change.new.format(*matched.groups())


@pytest.mark.parametrize(("old", "new"), EXAMPLES)
def test_an_old_number_is_read_as_the_new_one(old: str, new: str) -> None:
    assert phone(old) == phone(new) == new
    assert phone(f"{old[:4]} {old[4:]}") == phone(f"00{old[1:]}") == new
    assert phone(old[1:]) == without_plus(old, new)


@pytest.mark.parametrize("renumbering", RENUMBERINGS, ids=lambda each: each.country)
def test_every_example_has_a_change_and_nearly_every_change_an_example(renumbering: Renumbering) -> None:
    used = [[change for change in renumbering.changes if _is_old(change, old)] for old in renumbering.examples]
    assert all(len(each) == 1 for each in used)
    assert len({each[0] for each in used}) == min(len(renumbering.changes), 5) or renumbering.country == "Viet Nam"


def _is_old(change: Change, number: str) -> bool:
    return re.fullmatch(change.old, number, re.ASCII) is not None


@each_change
@settings(max_examples=12)
@given(data=st.data())
def test_a_new_number_never_has_an_old_form(data: st.DataObject, renumbering: Renumbering, change: Change) -> None:
    new = new_number(change, old_number(data, change))
    assert len(new) != len(f"+{renumbering.country_code}") + renumbering.former_length
    assert not any(_is_old(change, new) for _, change in CHANGES)
    assert phone(new) in (new, None)


@each_change
@settings(max_examples=12)
@given(data=st.data())
def test_an_old_form_has_the_former_length_and_only_one_change(
    data: st.DataObject, renumbering: Renumbering, change: Change
) -> None:
    old = old_number(data, change)
    assert len(old) == len(f"+{renumbering.country_code}") + renumbering.former_length
    assert [each for _, each in CHANGES if _is_old(each, old)] == [change]


@each_change
@settings(max_examples=12)
@given(data=st.data())
def test_an_old_number_becomes_what_the_table_says_or_is_refused(
    data: st.DataObject, renumbering: Renumbering, change: Change
) -> None:
    old = old_number(data, change)
    new = new_number(change, old)
    parsed = phonenumbers.parse(new)
    if phonenumbers.is_valid_number(parsed):
        assert phone(old) == new
        assert phone(old[1:]) == without_plus(old, new)
    elif not change.if_valid and phonenumbers.is_possible_number(parsed):
        assert phone(old) == new
    else:
        assert phone(old) != new


@each_change
@settings(max_examples=12)
@given(data=st.data())
def test_libphonenumber_reads_a_new_number_as_itself(
    data: st.DataObject, renumbering: Renumbering, change: Change
) -> None:
    """So the result needs no second parse; and the number that is judged is what parsing would give."""
    old = old_number(data, change)
    read = phonenumbers.parse(old)
    e164 = phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164)
    if e164 == old and (successor := renumbered(read, e164)):
        number, new = successor
        assert number == phonenumbers.parse(new)
        assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == new


@pytest.mark.parametrize(
    "number",
    [
        *("+551176883193", "+553126883193", "+553136883193", "+553146883193", "+553156883193"),  # Brazilian landlines
        *("+541112345678", "+5491112345678"),
        *("+525512345678", "+521551234567", "+2348031234567", "+8419001234"),
        "+5746123456",  # a Colombian number of eight digits that is in force
    ],
)
def test_a_number_that_did_not_change_stays(number: str) -> None:
    assert phone(number) == number


@pytest.mark.parametrize(
    "number",
    [
        *("+22500123456", "+22510123456", "+22550123456", "+22580123456", "+22591123456"),  # no rule of Ivory Coast
        "+22521823456",  # a landline that did not get 27
        *("+23480312345", "+23770123", "+2299712345"),
    ],
)
def test_an_old_number_whose_new_one_is_not_certain_is_refused(number: str) -> None:
    assert phone(number) is None


def test_the_page_shows_the_table_and_its_sources() -> None:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line[:1] == "|"]
    sources = [row for row in cells if len(row) == 5][2:]
    assert sources == [
        [
            each.country,
            f"+{each.country_code}",
            f"{each.former_length}",
            f"{each.completed.day} {each.completed:%B %Y}",
            each.source,
        ]
        for each in RENUMBERINGS
    ]
    forms = [row[1:] for row in cells if len(row) == 4][2:]
    assert forms == [[f"`{each.old}`", f"`{each.new}`", "yes" if each.if_valid else ""] for _, each in CHANGES]
    examples = [row[1:] for row in cells if len(row) == 3][2:]
    assert examples == [[f"`{old}`", f"`{new}`"] for old, new in EXAMPLES]
