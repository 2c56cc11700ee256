"""What people are told about forms that the API's models refuse."""

import pytest
from pydantic import BaseModel

from profile_lookup.accounts.wire import KeyRequest
from profile_lookup.blocked_values.wire import BlockedValuesBody
from profile_lookup.console.rules.trait_group_form import field_of, label_of
from profile_lookup.console.wire import typed_as
from profile_lookup.errors import RequestRefused
from profile_lookup.identity_settings.wire import IdentityResolutionSettingsBody
from profile_lookup.trait_groups.wire import TraitGroupPatch, TraitGroupRequest

HIDDEN = "ann@example.com"
WORDS_FOR_PROGRAMS = ("Input", "String", "List", "item", "dictionary", "Field", "valid ")
KEY = {"scopes": ["read"]}


def config(**members: object) -> dict[str, object]:
    return {"identifierConfigs": [{"idType": "chat", **members}], "matchingRules": ["chat"]}


def trait(**rule: object) -> dict[str, object]:
    return {"traits": {"seats": {"dataType": "NUMBER", "validationRule": {"ruleType": "NUMBER", **rule}}}}


@pytest.mark.parametrize(
    ("model", "typed", "reason"),
    [
        (KeyRequest, {"scopes": []}, "scopes: expected at least 1"),
        (KeyRequest, {"scopes": ["read", "read"]}, "scopes: expected each of them once"),
        (KeyRequest, {"scopes": [HIDDEN]}, "scopes.0: expected 'lookup', 'read', 'write' or 'manage'"),
        (KeyRequest, KEY | {"name": "a" * 256}, "name: expected at most 128 characters"),
        (KeyRequest, KEY | {"name": "\0"}, "name: expected characters that can be stored: no NUL, and no half of a character"),
        (KeyRequest, KEY | {"storeIds": [HIDDEN]}, "storeIds.0: expected the ID of a store"),
        (KeyRequest, KEY | {"expiresAt": HIDDEN}, "expiresAt: expected a time from 1970 on, such as 2027-01-15T10:15:30Z"),
        (KeyRequest, KEY | {"rateLimit": {"burst": 1}}, "rateLimit.perSecond: expected a value"),
        (KeyRequest, KEY | {"rateLimit": {"perSecond": HIDDEN, "burst": 1}}, "rateLimit.perSecond: expected a number"),
        (KeyRequest, KEY | {"rateLimit": {"perSecond": 0, "burst": 1}}, "rateLimit.perSecond: expected at least 0.001"),
        (KeyRequest, KEY | {"rateLimit": {"perSecond": 1, "burst": 1.5}}, "rateLimit.burst: expected a whole number"),
        (BlockedValuesBody, {"builtIn": True, "maxProfilesPerValue": 1001}, "maxProfilesPerValue: expected at most 1,000"),
        (IdentityResolutionSettingsBody, config(limit=HIDDEN), "identifierConfigs.0.limit: expected a whole number"),
        (IdentityResolutionSettingsBody, config(limit=0), "identifierConfigs.0.limit: expected at least 1"),
        (IdentityResolutionSettingsBody, config(idType="c"), "identifierConfigs.0.idType: expected at least 2 characters"),
        (IdentityResolutionSettingsBody, {"identifierConfigs": []}, "identifierConfigs: expected at least 1"),
        (TraitGroupRequest, {"displayName": HIDDEN}, "displayName: expected letters, digits, hyphens, underscores and dots"),
        (TraitGroupPatch, {}, "expected a change"),
        (TraitGroupPatch, trait(max=HIDDEN), "traits.seats.validationRule.NUMBER.max: expected a number"),
        (TraitGroupPatch, trait(pattern="^a"), "traits.seats.validationRule.NUMBER.pattern: expected nothing here, because it does not fit the rest"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_in_plain_sentences_that_quote_nothing(
    model: type[BaseModel], typed: object, reason: str
) -> None:
    with pytest.raises(RequestRefused) as refused:
        typed_as(model, typed)
    assert str(refused.value) == reason
    assert not any(words in reason for words in (*WORDS_FOR_PROGRAMS, HIDDEN))


def test_a_bound_of_a_trait_has_the_name_of_its_field_on_the_page() -> None:
    field = field_of("traits.seats.validationRule.NUMBER.max")
    assert field == "traits.seats.most"
    assert label_of(field) == "At most of seats"
    assert label_of(field_of("traits.seats.dataType")) == "Holds of seats"
    assert label_of(field_of("description")) == ""
