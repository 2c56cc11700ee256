"""A store's identity resolution settings are always valid, and normalize values as configured."""

from collections.abc import Callable

import pytest

from profile_lookup.errors import SettingsRefused, UnknownIdentifierType, ValueRefused
from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.rules import (
    DEFAULT_SETTINGS,
    IdentifierConfig,
    IdentityResolutionSettings,
    LimitPolicy,
    MatchingAlgo,
)
from tests.identity.building import identifier


def configured(*id_types: str, rules: tuple[str, ...]) -> IdentityResolutionSettings:
    return IdentityResolutionSettings(tuple(IdentifierConfig(id_type) for id_type in id_types), rules)


def numbered(count: int) -> tuple[str, ...]:
    return tuple(f"type-{number}" for number in range(count))


def test_a_new_store_has_the_five_reserved_types() -> None:
    assert [(config.id_type, config.normalization) for config in DEFAULT_SETTINGS.identifier_configs] == [
        ("email", "email"),
        ("whatsapp", "trim"),
        ("phone", "phone"),
        ("chat", "trim"),
        ("pushUserID", "trim"),
    ]


def test_a_new_store_matches_exactly_and_keeps_a_hundred_unique_values_first_in_first_out() -> None:
    for config in DEFAULT_SETTINGS.identifier_configs:
        assert (config.matching_algo, config.matching_threshold) == ("exact", 75)
        assert (config.limit, config.limit_policy) == (100, "fifo")
        assert config.enforce_unique


def test_a_new_store_matches_by_email_then_whatsapp_then_phone_then_chat_then_push_user_id() -> None:
    assert DEFAULT_SETTINGS.matching_rules == ("email", "whatsapp", "phone", "chat", "pushUserID")


def test_a_type_given_by_name_alone_takes_the_contracts_defaults() -> None:
    assert IdentifierConfig("loyalty") == IdentifierConfig(
        "loyalty",
        matching_algo="exact",
        matching_threshold=75,
        limit=100,
        limit_policy="fifo",
        enforce_unique=True,
        normalization="trim",
    )


REFUSED: dict[str, Callable[[], object]] = {
    "idType": lambda: IdentifierConfig("no spaces"),
    "idType: expected 2-30": lambda: IdentifierConfig("x"),
    "matchingThreshold: expected 50": lambda: IdentifierConfig("loyalty", matching_threshold=49),
    "matchingThreshold: expected 50-99": lambda: IdentifierConfig("loyalty", matching_threshold=100),
    "limit: expected 1": lambda: IdentifierConfig("loyalty", limit=0),
    "limit: expected 1-100": lambda: IdentifierConfig("loyalty", limit=101),
    "matchingAlgo": lambda: IdentifierConfig("mobile", matching_algo="fuzzy", normalization="phone"),
    "identifierConfigs: expected 1": lambda: configured(rules=("email",)),
    "identifierConfigs: expected 1-15": lambda: configured(*numbered(16), rules=("type-1",)),
    "identifierConfigs: expected each": lambda: configured("email", "phone", "email", rules=("email",)),
    "matchingRules: expected 1": lambda: configured("email", rules=()),
    "matchingRules: expected 1-15": lambda: configured("email", rules=numbered(16)),
    "matchingRules: expected each": lambda: configured("email", rules=("email", "email")),
    "matchingRules: expected idTypes": lambda: configured("email", rules=("email", "phone")),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_settings_that_contradict_themselves_are_refused(reason: str) -> None:
    with pytest.raises(SettingsRefused, match=f"^{reason}"):
        REFUSED[reason]()


@pytest.mark.parametrize(
    ("threshold", "limit", "algorithm", "policy"), [(50, 1, "exact", "lifo"), (99, 100, "fuzzy", "fifo")]
)
def test_values_on_the_bounds_are_accepted(
    threshold: int, limit: int, algorithm: MatchingAlgo, policy: LimitPolicy
) -> None:
    assert IdentifierConfig("loyalty", algorithm, threshold, limit, policy)


def test_fifteen_types_and_fifteen_rules_are_accepted() -> None:
    assert configured(*numbered(15), rules=numbered(15)[::-1]).matching_rules[0] == "type-14"


def test_names_of_types_are_case_sensitive() -> None:
    assert configured("email", "Email", rules=("Email",)).id_types == ("email", "Email")


@pytest.mark.parametrize(
    ("id_type", "value", "normalized"),
    [
        ("email", " Ada@Example.com ", "ada@example.com"),
        ("phone", "(317) 555-6789", "+13175556789"),
        ("whatsapp", " whatsapp:+13175556789 ", "whatsapp:+13175556789"),
        ("chat", "\tAda Lovelace\n", "Ada Lovelace"),
    ],
)
def test_a_value_is_normalized_as_its_type_says(id_type: str, value: str, normalized: str) -> None:
    assert DEFAULT_SETTINGS.normalize(Identifier(id_type, value)) == identifier(f"{id_type}:{normalized}")


def test_a_value_that_its_type_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueRefused):
        DEFAULT_SETTINGS.normalize(Identifier("phone", "sip:+13175556789"))


def test_the_refusal_of_an_unknown_type_names_the_configured_ones() -> None:
    with pytest.raises(UnknownIdentifierType, match=r"email, whatsapp, phone, chat, pushUserID$"):
        DEFAULT_SETTINGS.normalize(Identifier("Email", "ada@example.com"))


def test_the_refusal_of_an_unknown_type_echoes_neither_type_nor_value() -> None:
    with pytest.raises(UnknownIdentifierType) as refused:
        DEFAULT_SETTINGS.normalize(Identifier("s3cr3t", "ada@example.com"))
    assert "s3cr3t" not in str(refused.value)
    assert "ada" not in str(refused.value)
