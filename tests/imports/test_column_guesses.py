"""Guesses which trait a column contains."""

import pytest

from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.trait_definitions import CONTACT, TraitDefinition, TraitGroup
from profile_lookup.imports.columns.column_guesses import complete_mapping, looks_like_a_name

LOYALTY = TraitGroup("Loyalty", {name: TraitDefinition("STRING") for name in ("email", "tier", "cardNumber", "points")})
SHOP = TraitGroup("Shop", {"points": TraitDefinition("STRING")})
GROUPS = {group.name: group for group in (SHOP, LOYALTY, CONTACT)}


def guessed(*header: str, **named: str | None) -> dict[str, str]:
    traits = {
        column: None if trait is None else TraitName(*trait.split("."))
        for column, trait in named.items()
    }  # fmt: skip
    return {each.column: str(each.trait) for each in complete_mapping(GROUPS, header, traits)}


@pytest.mark.parametrize(
    ("column", "trait"),
    [
        ("email", "Contact.email"),
        ("E-mail", "Contact.email"),
        ("EMAIL", "Contact.email"),
        ("e mail address", "Contact.email"),
        ("phone_number", "Contact.phone"),
        ("First Name", "Contact.firstName"),
        ("last-name", "Contact.lastName"),
        ("Loyalty.email", "Loyalty.email"),
        ("loyalty.card number", "Loyalty.cardNumber"),
        ("Card", "Loyalty.cardNumber"),
        ("tier", "Loyalty.tier"),
    ],
)
def test_a_column_is_guessed_to_be_the_trait_with_a_similar_name(column: str, trait: str) -> None:
    assert guessed(column) == {column: trait}


@pytest.mark.parametrize("column", ["", "points", "number", "mailing", "Contact.nothing", "+13175556789"])
def test_there_is_no_guess_if_two_traits_or_none_match(column: str) -> None:
    assert guessed(column) == {}


def test_several_columns_may_hold_one_trait() -> None:
    columns = ("E-Mail", "Phone number", "phone", "email")
    assert guessed(*columns) == dict(
        zip(columns, ["Contact.email", "Contact.phone", "Contact.phone", "Contact.email"], strict=True)
    )


def test_explicit_mappings_take_precedence_over_guesses() -> None:
    named: dict[str, str | None] = {"mail": "Contact.email", "city": None}
    assert guessed("city", "email", "mail", "phone", **named) == {
        "email": "Contact.email", "mail": "Contact.email", "phone": "Contact.phone"
    }  # fmt: skip


def test_columns_of_one_name_hold_one_trait() -> None:
    assert guessed("email", "phone", "email") == {"email": "Contact.email", "phone": "Contact.phone"}


def test_data_is_not_taken_for_a_column_name() -> None:
    assert all(map(looks_like_a_name, ("E-mail", "Line 2 (optional)", "Straße")))
    assert not any(map(looks_like_a_name, ("a@example.com", "+1 317 555 6789", "x" * 100, "a\x1b[1m")))
