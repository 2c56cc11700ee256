"""Rows are read by the definitions of the traits that their columns are mapped to."""

import pytest

from profile_lookup.errors import ProfileLookupError, RequestRefused, RowRefused, TraitsRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.trait_definitions import CONTACT, StringRule, TraitDefinition, TraitGroup
from profile_lookup.imports.columns.column_mapping import MappedColumn, refuse_mapping
from tests.imports.rows import GROUPS, change_of, mapping_of, reader

NO_NUMBER = (
    "expected digits, spaces, hyphens, dots, parentheses and slashes only; "
    "letters and extensions have no place in E.164"
)


def _read(**cells: str) -> Change:
    """Read a row whose columns have the names of their traits."""
    traits = {"chat": "Contact.chat", "email": "Contact.email"} | {
        name: f"More.{name}" for name in GROUPS["More"].traits
    }
    mapping = [MappedColumn(name, TraitName(*traits[name].split("."))) for name in cells]
    return change_of(reader(GROUPS, mapping, is_strict=True).read(list(cells.values())))


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
        change_of(reader(groups, mapping).read([""] * len(names)))
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
        change_of(reader(groups, mapping).read(["c-1"] + ["a" * 1000 + "b"] * 20))
    assert refused.value.column is None


@pytest.mark.parametrize(
    ("mapping", "error", "message"),
    [
        (mapping_of("Contact.email", "Contact.email"), RequestRefused, "columnMappings: expected each columnName once"),
        (mapping_of("Contact.email", "Mroe.age"), TraitsRefused,
         "columnMappings.1.traitGroup: no such trait group; expected one of Contact, More"),
        (mapping_of("More.ago", "Contact.email"), TraitsRefused,
         "columnMappings.0.traitName: no such trait in More; expected one of age, code, member, old, phones"),
        (mapping_of("Contact.city", "More.old"), TraitsRefused,
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
    refuse_mapping(GROUPS, DEFAULT_SETTINGS, mapping_of("Contact.city", "More.phones"))


def test_traits_of_a_group_come_together_as_in_a_request() -> None:
    mapping = mapping_of("More.code", "Contact.chat", "More.age", "Contact.email")
    change = change_of(reader(GROUPS, mapping).read(["A", "c-1", "7", "ada@example.com"]))
    assert [str(trait) for trait in change.traits] == ["More.code", "More.age", "Contact.chat", "Contact.email"]
