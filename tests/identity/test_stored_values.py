"""Values that are brought into a store unchanged must be values that it could hold."""

from datetime import UTC, datetime

import pytest

from profile_lookup.errors import IdentifierRefused, TraitsRefused
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Trait, TraitName
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.stored_values import refuse_unlike_defined, refuse_unlike_normalized
from profile_lookup.identity.trait_definitions import StringRule, TraitDefinition, TraitGroup
from profile_lookup.identity.values.normalization import NormalizedValue

NOW = datetime(2026, 1, 15, tzinfo=UTC)
GROUPS = {"Billing": TraitGroup("Billing", {"plan": TraitDefinition("STRING", validation_rule=StringRule("^paid$"))})}


@pytest.mark.parametrize(("id_type", "value"), [("phone", "+13175556789"), ("email", "a@b.c"), ("chat", "A b")])
def test_a_normalized_value_is_accepted(id_type: str, value: str) -> None:
    refuse_unlike_normalized(DEFAULT_SETTINGS, NormalizedIdentifier(id_type, NormalizedValue(value)))


@pytest.mark.parametrize(
    ("id_type", "value"),
    [("phone", "3175556789"), ("phone", "x"), ("email", "A@b.c"), ("chat", " c"), ("chat", ""), ("fax", "c")],
)
def test_any_other_value_or_type_is_refused(id_type: str, value: str) -> None:
    with pytest.raises(IdentifierRefused):
        refuse_unlike_normalized(DEFAULT_SETTINGS, NormalizedIdentifier(id_type, NormalizedValue(value)))


@pytest.mark.parametrize("value", ["free", 7, True, ["a", 1, False]])
def test_a_trait_value_that_another_definition_would_allow_is_accepted(value: object) -> None:
    refuse_unlike_defined(GROUPS, {TraitName("Billing", "plan"): Trait(value, NOW)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (TraitName("Billing", "seats"), 1),
        (TraitName("Other", "plan"), "paid"),
        (TraitName("Billing", "plan"), None),
        (TraitName("Billing", "plan"), 1.5),
        (TraitName("Billing", "plan"), 2**31),
        (TraitName("Billing", "plan"), {}),
        (TraitName("Billing", "plan"), [[]]),
        (TraitName("Billing", "plan"), "\0"),
        (TraitName("Billing", "plan"), ["x" * 1025]),
    ],
)
def test_a_trait_value_that_no_definition_allows_is_refused(name: TraitName, value: object) -> None:
    with pytest.raises(TraitsRefused):
        refuse_unlike_defined(GROUPS, {name: Trait(value, NOW)})  # type: ignore[arg-type]
