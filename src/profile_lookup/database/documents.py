"""Converts the JSONB documents.

They hold a store's settings and blocked values, a trait group's definitions, a profile's traits, and the profiles that
merged.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from profile_lookup.errors import RequestRefused, SettingsRefused
from profile_lookup.identity.blocked_values import BlockedPattern, BlockedValues
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName, TraitValue
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import RULE_OF_TYPE, TraitDefinition, TraitGroup
from profile_lookup.identity.values.normalization import NormalizedValue

Document = dict[str, Any]


def settings_document(settings: IdentityResolutionSettings) -> Document:
    return {
        "identifier_configs": [asdict(config) for config in settings.identifier_configs],
        "matching_rules": list(settings.matching_rules),
    }


def settings_of(document: Document) -> IdentityResolutionSettings:
    try:
        return IdentityResolutionSettings(
            tuple(IdentifierConfig(**config) for config in document["identifier_configs"]),
            tuple(document["matching_rules"]),
        )
    except SettingsRefused as error:
        raise ValueError("settings were stored that are not valid") from error  # a defect of ours, not a refusal


def blocked_values_document(blocked_values: BlockedValues) -> Document:
    return {
        "built_in": blocked_values.built_in,
        "values": [list(identifier) for identifier in blocked_values.values],
        "patterns": [[each.id_type, each.pattern] for each in blocked_values.patterns],
        "allowed": [list(identifier) for identifier in blocked_values.allowed],
        "max_profiles_per_value": blocked_values.max_profiles_per_value,
    }


def blocked_values_of(document: Document) -> BlockedValues:
    """Return the blocked values. The document of a store that never had any is empty."""
    try:
        return BlockedValues(
            document.get("built_in", False),
            tuple(NormalizedIdentifier(*each) for each in document.get("values", ())),
            tuple(BlockedPattern(*each) for each in document.get("patterns", ())),
            tuple(NormalizedIdentifier(*each) for each in document.get("allowed", ())),
            document.get("max_profiles_per_value"),
        )
    except RequestRefused as error:
        raise ValueError("blocked values were stored that are not valid") from error  # a defect of ours, not a refusal


def traits_document(group: TraitGroup) -> Document:
    return {name: asdict(definition) for name, definition in group.traits.items()}


def trait_group_of(name: str, document: Document) -> TraitGroup:
    return TraitGroup(name, {trait: _definition_of(definition) for trait, definition in document.items()})


def serialized_traits(traits: Mapping[TraitName, Trait], created_at: datetime | None = None) -> Document:
    """Return the document of `profile.traits`: by group and name, the value and the microseconds since 1970.

    A trait that was written at `created_at`, when its profile was created, has no time of its own.
    """
    document: Document = {}
    for (group, name), trait in traits.items():
        times = () if trait.written_at == created_at else (microseconds(trait.written_at),)
        document.setdefault(group, {})[name] = [trait.value, *times]
    return document


def serialized_new_traits(values: Mapping[TraitName, TraitValue]) -> Document:
    """Return the document of `profile.traits` for traits that are as old as their profile."""
    document: Document = {}
    for (group, name), value in values.items():
        document.setdefault(group, {})[name] = [value]
    return document


def parsed_traits(document: Document, created_at: datetime) -> dict[TraitName, Trait]:
    return {
        TraitName(group, name): Trait(value, time_of(*times) if times else created_at)
        for group, traits in document.items()
        for name, (value, *times) in traits.items()
    }


def microseconds(time: datetime) -> int:
    """Return the time as microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def time_of(microseconds: int) -> datetime:
    """Return the time that is so many microseconds after 1970 began."""
    return _EPOCH + timedelta(microseconds=microseconds)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def serialized_profile(profile: Profile) -> Document:
    """Return the document that `merge.moved` holds of each profile that merged."""
    return {
        "id": str(profile.id),
        "identifiers": [
            [identifier.id_type, identifier.value, added_at.isoformat()]
            for identifier, added_at in profile.identifiers.items()
        ],
        "traits": [
            [name.group, name.name, trait.value, trait.written_at.isoformat()] for name, trait in profile.traits.items()
        ],
    }


def parsed_profile(document: Document) -> Profile:
    return Profile(
        UUID(document["id"]),
        {
            NormalizedIdentifier(id_type, NormalizedValue(value)): datetime.fromisoformat(added_at)
            for id_type, value, added_at in document["identifiers"]
        },
        {
            TraitName(group, name): Trait(value, datetime.fromisoformat(written_at))
            for group, name, value, written_at in document["traits"]
        },
    )


def _definition_of(document: Document) -> TraitDefinition:
    rule = document.get("validation_rule")
    if rule is not None:
        # The trait's type determines the type of its rule.
        rule = RULE_OF_TYPE[document["data_type"]](**rule)
    return TraitDefinition(**{**document, "validation_rule": rule})
