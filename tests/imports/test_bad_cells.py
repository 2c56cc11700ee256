"""A bad cell costs the cell, and several cells may hold one trait."""

import pytest

from profile_lookup.errors import RowRefused
from profile_lookup.identity.profile import TraitName
from profile_lookup.imports.columns.column_mapping import MappedColumn
from profile_lookup.imports.row_reader import Reading
from profile_lookup.imports.row_values import IgnoredCell
from tests.imports.rows import GROUPS, change_of, mapping_of, reader
from tests.imports.test_column_mapping import NO_NUMBER


def _contact(**cells: str) -> list[MappedColumn]:
    return [MappedColumn(name, TraitName("Contact", name.rstrip("123"))) for name in cells]


def _read_contact(country: str | None = None, **cells: str) -> Reading:
    return reader(GROUPS, _contact(**cells), country=country).read(list(cells.values()))


def test_the_first_value_of_several_columns_is_the_trait_and_all_of_them_identify() -> None:
    change = change_of(
        _read_contact(phone1="", phone2="+34 612345678", phone3="+34911234567", city1="", city2="Bilbao")
    )
    assert change.traits == {TraitName("Contact", "phone"): "+34 612345678", TraitName("Contact", "city"): "Bilbao"}
    assert [each.value for each in change.incoming] == ["+34612345678", "+34911234567"]


def test_a_blocked_value_is_the_trait_only_if_no_other_value_is() -> None:
    reading = _read_contact(phone1="n/a", phone2="+34612345678", phone3="-", email="none", chat="7")
    traits = change_of(reading).traits
    assert (traits[TraitName("Contact", "phone")], traits[TraitName("Contact", "email")]) == ("+34612345678", "none")
    assert [each.column for each in reading.ignored] == ["phone1", "phone3", "email"]


def test_a_bad_value_in_a_list_costs_the_others_nothing() -> None:
    reading = _read_contact(email="ann@example.com ::: nobody ::: n/a ::: ann@example.org")
    assert [each.value for each in change_of(reading).incoming] == ["ann@example.com", "ann@example.org"]
    assert reading.ignored == [IgnoredCell("email", "expected an e-mail address: one @ with text on both sides")]


def test_a_bad_cell_is_ignored_unless_the_import_is_strict() -> None:
    mapping = mapping_of("Contact.chat", "More.age", "More.phones")
    cells = ["c-1", "x", '["+13175551234", "nobody"]']
    reading = reader(GROUPS, mapping).read(cells)
    assert list(change_of(reading).traits) == [TraitName("Contact", "chat")]
    assert [each.column for each in reading.ignored] == ["More.age column", "More.phones column"]
    with pytest.raises(RowRefused) as refused:
        change_of(reader(GROUPS, mapping, is_strict=True).read(cells))
    assert refused.value.column == "More.age column"


def test_a_row_with_bad_and_blocked_cells_alone_is_refused_with_all_their_reasons() -> None:
    refused = _read_contact(phone="x", email="n/a").attempt
    assert isinstance(refused, RowRefused)
    assert refused.column is None
    assert refused.reason.startswith("expected a value that identifies somebody; ")
    assert "email (a word that stands for no value)" in refused.reason
    assert f"phone ({NO_NUMBER})" in refused.reason


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("030 901820", "+4930901820"), ("(030) 90 18 20", "+4930901820"), ("0049 30 901820", "+4930901820"),
        ("4930901820", "+4930901820"), ("0151 23456789", "+4915123456789"), ("+1 317 555 6789", "+13175556789"),
        ("00442079460958", "+442079460958"), ("15123456789.0", "+4915123456789"), ("tel:030901820", "+4930901820"),
        ("317-555-6789", None), ("12", None), ("1-317-555-6789", None), ("0", None), ("n/a", None), ("abc", None),
    ],
)  # fmt: skip
def test_a_number_without_plus_is_one_of_the_country_and_never_read_as_one_of_the_usa(
    cell: str, number: str | None
) -> None:
    reading = _read_contact(country="DE", phone=cell, chat="c-1")
    numbers = [each.value for each in change_of(reading).incoming if each.id_type == "phone"]
    assert numbers == ([number] if number else [])
    assert len(reading.ignored) == (number is None)
