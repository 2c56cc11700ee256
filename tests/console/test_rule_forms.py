"""The forms of rules, as they are read and written without a browser."""

import pytest
from starlette.datastructures import FormData

from profile_lookup.console.forms import Form
from profile_lookup.console.refusals import Refusal
from profile_lookup.console.rules.blocked_values_form import BlockedValuesForm
from profile_lookup.console.rules.differences import Difference, differences
from profile_lookup.console.rules.form_fields import number, rows_of
from profile_lookup.console.rules.settings_form import rows_in_force, settings_body
from profile_lookup.console.rules.trait_group_form import FIELDS, documents_of, typed_documents
from profile_lookup.console.rules.trait_group_form import rows_in_force as rows_of_group
from profile_lookup.errors import DefinitionRefused, RequestRefused, SettingsRefused
from profile_lookup.identity.blocked_values import BlockedPattern, BlockedValues
from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.trait_definitions import (
    CONTACT,
    ArrayRule,
    NumberRule,
    StringRule,
    TraitDefinition,
    TraitGroup,
)


def test_settings_are_the_same_after_their_form_was_shown_and_sent() -> None:
    assert settings_body(rows_in_force(DEFAULT_SETTINGS)).to_domain() == DEFAULT_SETTINGS


def test_the_place_of_a_type_must_be_a_number() -> None:
    rows = rows_in_force(DEFAULT_SETTINGS)
    rows[0]["rule"] = "first"
    with pytest.raises(SettingsRefused, match="matchingRules"):
        settings_body(rows)


def test_trait_groups_are_the_same_after_their_form_was_shown_and_sent() -> None:
    traits = {
        "text": TraitDefinition("STRING", "email", "words", StringRule("^a", 1, 20)),
        "number": TraitDefinition("NUMBER", None, None, NumberRule(-1.5e-9, 9_007_199_254_740_992)),
        "list": TraitDefinition("ARRAY", None, None, ArrayRule(None, 3)),
        "flag": TraitDefinition("BOOLEAN"),
    }
    for group in (TraitGroup("Billing", traits), CONTACT):
        assert typed_documents(rows_of_group(group)) == documents_of(group.traits)


def test_a_trait_may_be_named_once() -> None:
    row = dict.fromkeys(FIELDS, "") | {"trait": "plan", "dataType": "STRING"}
    with pytest.raises(DefinitionRefused, match="trait: expected each name once"):
        typed_documents([row, row])


def test_blocked_values_are_the_same_after_their_form_was_shown_and_sent_even_with_line_breaks() -> None:
    values = [Identifier("chat", "a b"), Identifier("chat", "two\nlines"), Identifier("email", "ann@example.com")]
    stored = BlockedValues.of(
        DEFAULT_SETTINGS,
        built_in=True,
        values=values,
        patterns=[BlockedPattern("email", "^no-?reply@")],
        max_profiles_per_value=50,
    )
    shown = BlockedValuesForm.stored(stored)
    fields = [*shown.texts.items(), ("builtIn", "true"), ("maxProfilesPerValue", shown.max_profiles_per_value)]
    sent = FormData([(name, text.replace("\n", "\r\n")) for name, text in fields])
    document = BlockedValuesForm.typed(Form(sent), DEFAULT_SETTINGS.id_types, stored).document()
    assert document["maxProfilesPerValue"] == 50
    assert document["patterns"] == [{"idType": "email", "pattern": "^no-?reply@"}]
    assert sorted((each["idType"], each["value"]) for each in document["values"]) == sorted(
        (each.id_type, each.value) for each in values
    )


def test_the_refusal_of_a_blocked_value_names_the_field_and_the_line() -> None:
    typed = BlockedValuesForm(True, "", {"values.email": "a@example.com", "values.chat": "\n\nx\n"}, {})
    refusal = typed.located(Refusal("blocked-values", "values.1.value", "expected something else", 400))
    assert (refusal.field, refusal.reason) == ("values.chat", "line 3: expected something else")
    unknown = Refusal("blocked-values", "values.7.value", "expected something else", 400)
    assert typed.located(unknown) == unknown


def test_two_versions_differ_in_what_only_one_of_them_says() -> None:
    in_force = {"email": {"limit": 1, "normalization": "email"}, "values": ["a", "b"], "gone": "x"}
    typed = {"email": {"limit": 2, "normalization": "email"}, "values": ["b", "c"], "new": "y"}
    assert differences(in_force, typed) == [
        Difference("email · limit", ("1",), ("2",)),
        Difference("values", ("a",), ("c",)),
        Difference("gone", ("x",), ()),
        Difference("new", (), ("y",)),
    ]
    assert differences(typed, typed) == []


@pytest.mark.parametrize(
    ("text", "expected"), [(" 7 ", 7), ("-1.5", -1.5), ("1e9", "1e9"), ("", ""), ("٣", "٣"), ("1_0", "1_0")]
)
def test_only_plain_numbers_become_numbers(text: str, expected: object) -> None:
    assert number(text) == expected


def test_rows_without_a_name_are_left_out_and_incomplete_ones_are_refused() -> None:
    form = Form(FormData([("a", "1"), ("b", "x"), ("a", " "), ("b", "y")]))
    assert rows_of(form, ("a", "b")) == [{"a": "1", "b": "x"}]
    with pytest.raises(RequestRefused):
        rows_of(form, ("a", "c"))
