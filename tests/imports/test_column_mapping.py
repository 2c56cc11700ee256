"""Rows are read by the definitions of the traits that their columns are mapped to."""

from collections.abc import Mapping
from uuid import UUID

import pytest

from profile_lookup.errors import ProfileLookupError, RequestRefused, RowRefused, TraitsRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.trait_definitions import (
    CONTACT,
    ArrayRule,
    NumberRule,
    StringRule,
    TraitDefinition,
    TraitGroup,
)
from profile_lookup.imports.columns.column_mapping import MappedColumn, refuse_mapping
from profile_lookup.imports.row_reader import IgnoredCell, Reading, ReadingOptions, RowReader
from profile_lookup.stores.rules_cache import StoreRules
from tests.identity.building import at

NO_NUMBER = (
    "expected digits, spaces, hyphens, dots, parentheses and slashes only; "
    "letters and extensions have no place in E.164"
)
GROUPS = {
    "Contact": CONTACT,
    "More": TraitGroup(
        "More",
        {
            "age": TraitDefinition("NUMBER", validation_rule=NumberRule(min=0)),
            "member": TraitDefinition("BOOLEAN"),
            "phones": TraitDefinition("ARRAY", "phone", validation_rule=ArrayRule(max_items=3)),
            "code": TraitDefinition("STRING", validation_rule=StringRule(pattern="^[A-Z]+$")),
            "old": TraitDefinition("STRING", "fax"),  # promoted to a type that no longer exists
        },
    ),
}


def _mapping(*traits: str) -> list[MappedColumn]:
    return [MappedColumn(f"{name} column", TraitName(*name.split("."))) for name in traits]


def _read(**cells: str) -> Change:
    """Read a row whose columns have the names of their traits."""
    traits = {"chat": "Contact.chat", "email": "Contact.email"} | {
        name: f"More.{name}" for name in GROUPS["More"].traits
    }
    mapping = [MappedColumn(name, TraitName(*traits[name].split("."))) for name in cells]
    return _change(_reader(GROUPS, mapping, is_strict=True).read(list(cells.values())))


def _reader(
    groups: Mapping[str, TraitGroup],
    mapping: list[MappedColumn],
    *,
    country: str | None = None,
    is_strict: bool = False,
) -> RowReader:
    store = StoreRules(UUID(int=1), UUID(int=2), DEFAULT_SETTINGS, 1, groups, 1, at(0))
    positions = {each.column: [place] for place, each in enumerate(mapping)}
    return RowReader(store, mapping, positions, ReadingOptions(country, is_strict))


def _change(reading: Reading) -> Change:
    if isinstance(reading.attempt, RowRefused):
        raise reading.attempt
    return reading.attempt


def _value(name: str, cell: str) -> TraitValue | None:
    return _read(chat="c-1", **{name: cell}).traits.get(TraitName("More", name))


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("age", "42", 42), ("age", " +42 ", 42), ("age", "007", 7), ("age", "2147483647", 2**31 - 1),
        ("member", "true", True), ("member", "FALSE", False), ("member", " True ", True),
        ("phones", '["+13175551234", "317-555-6789"]', ["+13175551234", "317-555-6789"]),
        ("phones", " [] ", []),
        ("code", "ABC", "ABC"), ("old", " as it is ", " as it is "),
        ("age", "", None), ("member", "", None), ("phones", "", None), ("code", "", None),
    ],
)  # fmt: skip
def test_a_cell_is_converted_to_the_type_of_its_trait(name: str, cell: str, value: TraitValue | None) -> None:
    assert _value(name, cell) == value
    assert type(_value(name, cell)) is type(value)


@pytest.mark.parametrize(
    ("name", "cell", "reason"),
    [
        *[("age", cell, "expected an integer of 32 bits") for cell in (
            "x", "4.0", "1,000", "1 000", "٤٢", "0x1f", "1_000", "-", " ", "9" * 11, "9" * 5000, "--1")],
        ("age", "9999999999", "expected a number of 32 bits"),
        ("age", "-1", "expected at least 0"),
        *[("member", cell, "expected true or false") for cell in ("yes", "1", "truetrue", " ", "ＴＲＵＥ")],
        *[("phones", cell, "expected a JSON array") for cell in (
            "+13175551234", "[", "{}", '"x"', "[" * 100_000, "[1] x", "[" + "9" * 5000 + "]", "null")],
        ("phones", "[[]]", "expected strings, integers and booleans only"),
        ("phones", "[null]", "expected strings, integers and booleans only"),
        ("phones", "[1.5]", "expected strings, integers and booleans only"),
        ("phones", "[NaN]", "expected strings, integers and booleans only"),
        ("phones", '["\\u0000"]', "expected at most 1024 characters, without NUL or lone surrogates"),
        ("phones", '["\\ud800"]', "expected at most 1024 characters, without NUL or lone surrogates"),
        ("phones", "[1,2,3,4]", "expected at most 3 items"),
        ("phones", '["+1317555123x"]', NO_NUMBER),
        ("code", "abc", "expected what the trait's pattern matches"),
        ("code", "X" * 1025, "expected at most 1024 characters, without NUL or lone surrogates"),
        ("email", "x" * 256, "expected at most 255 characters"),
    ],
)  # fmt: skip
def test_a_cell_that_cannot_be_converted_is_refused_with_its_column(name: str, cell: str, reason: str) -> None:
    with pytest.raises(RowRefused) as refused:
        _read(chat="c-1", **{name: cell})
    assert (refused.value.column, refused.value.reason) == (name, reason)


def test_promoted_traits_identify_even_from_an_array_and_empty_cells_are_ignored() -> None:
    change = _read(email="", phones='["317-555-6789", "+13175556789", "+4930123456"]', old="x")
    assert [(each.id_type, each.value) for each in change.incoming] == [
        ("phone", "+13175556789"),
        ("phone", "+4930123456"),
    ]
    assert list(change.traits) == [TraitName("More", "phones"), TraitName("More", "old")]


def test_a_row_without_identifiers_is_refused_with_the_columns_that_identify() -> None:
    for cells in ({"email": "", "phones": ""}, {"email": "", "phones": "[]"}):
        with pytest.raises(RowRefused) as refused:
            _read(**cells, old="x", code="A")
        assert refused.value.column is None
        assert refused.value.reason == "expected a value in a column that identifies: email, phones"


def test_a_reason_names_only_the_first_columns() -> None:
    names = [f"c{number}" for number in range(90)]
    groups = {"More": TraitGroup("More", {name: TraitDefinition("STRING", id_type_promotion="chat") for name in names})}
    mapping = [MappedColumn(name, TraitName("More", name)) for name in names]
    with pytest.raises(RowRefused) as refused:
        _change(_reader(groups, mapping).read([""] * len(names)))
    assert refused.value.reason == "expected a value in a column that identifies: c0, c1, c2, c3, c4, …"


def test_a_row_whose_patterns_would_take_too_long_is_refused() -> None:
    patterns = {
        f"slow{number}": TraitDefinition("STRING", validation_rule=StringRule(pattern="(a?){500}b"))
        for number in range(20)
    }
    groups = {"Contact": CONTACT, "Slow": TraitGroup("Slow", patterns)}
    mapping = [MappedColumn("chat", TraitName("Contact", "chat"))]
    mapping += [MappedColumn(name, TraitName("Slow", name)) for name in patterns]
    with pytest.raises(RowRefused, match="expected less text") as refused:
        _change(_reader(groups, mapping).read(["c-1"] + ["a" * 1000 + "b"] * 20))
    assert refused.value.column is None


@pytest.mark.parametrize(
    ("mapping", "error", "message"),
    [
        (_mapping("Contact.email", "Contact.email"), RequestRefused, "columnMappings: expected each columnName once"),
        (_mapping("Contact.email", "Mroe.age"), TraitsRefused,
         "columnMappings.1.traitGroup: no such trait group; expected one of Contact, More"),
        (_mapping("More.ago", "Contact.email"), TraitsRefused,
         "columnMappings.0.traitName: no such trait in More; expected one of age, code, member, old, phones"),
        (_mapping("Contact.city", "More.old"), TraitsRefused,
         "columnMappings: expected at least one trait that is promoted to an identifier"),
    ],
)  # fmt: skip
def test_an_invalid_mapping_is_refused(
    mapping: list[MappedColumn], error: type[ProfileLookupError], message: str
) -> None:
    with pytest.raises(error) as refused:
        refuse_mapping(GROUPS, DEFAULT_SETTINGS, mapping)
    assert str(refused.value) == message


def test_a_mapping_with_a_promoted_trait_is_accepted() -> None:
    refuse_mapping(GROUPS, DEFAULT_SETTINGS, _mapping("Contact.city", "More.phones"))


def test_traits_of_a_group_come_together_as_in_a_request() -> None:
    mapping = _mapping("More.code", "Contact.chat", "More.age", "Contact.email")
    change = _change(_reader(GROUPS, mapping).read(["A", "c-1", "7", "ada@example.com"]))
    assert [str(trait) for trait in change.traits] == ["More.code", "More.age", "Contact.chat", "Contact.email"]


def _contact(**cells: str) -> list[MappedColumn]:
    return [MappedColumn(name, TraitName("Contact", name.rstrip("123"))) for name in cells]


def _read_contact(country: str | None = None, **cells: str) -> Reading:
    return _reader(GROUPS, _contact(**cells), country=country).read(list(cells.values()))


def test_the_first_value_of_several_columns_is_the_trait_and_all_of_them_identify() -> None:
    change = _change(_read_contact(phone1="", phone2="+34 612345678", phone3="+34911234567", city1="", city2="Bilbao"))
    assert change.traits == {TraitName("Contact", "phone"): "+34 612345678", TraitName("Contact", "city"): "Bilbao"}
    assert [each.value for each in change.incoming] == ["+34612345678", "+34911234567"]


def test_a_blocked_value_is_the_trait_only_if_no_other_value_is() -> None:
    reading = _read_contact(phone1="n/a", phone2="+34612345678", phone3="-", email="none", chat="7")
    traits = _change(reading).traits
    assert (traits[TraitName("Contact", "phone")], traits[TraitName("Contact", "email")]) == ("+34612345678", "none")
    assert [each.column for each in reading.ignored] == ["phone1", "phone3", "email"]


def test_a_bad_value_in_a_list_costs_the_others_nothing() -> None:
    reading = _read_contact(email="ann@example.com ::: nobody ::: n/a ::: ann@example.org")
    assert [each.value for each in _change(reading).incoming] == ["ann@example.com", "ann@example.org"]
    assert reading.ignored == [IgnoredCell("email", "expected an e-mail address: one @ with text on both sides")]


def test_a_bad_cell_is_ignored_unless_the_import_is_strict() -> None:
    mapping = _mapping("Contact.chat", "More.age", "More.phones")
    cells = ["c-1", "x", '["+13175551234", "nobody"]']
    reading = _reader(GROUPS, mapping).read(cells)
    assert list(_change(reading).traits) == [TraitName("Contact", "chat")]
    assert [each.column for each in reading.ignored] == ["More.age column", "More.phones column"]
    with pytest.raises(RowRefused) as refused:
        _change(_reader(GROUPS, mapping, is_strict=True).read(cells))
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
    numbers = [each.value for each in _change(reading).incoming if each.id_type == "phone"]
    assert numbers == ([number] if number else [])
    assert len(reading.ignored) == (number is None)
