"""The JSONB documents of a store: its identity resolution settings and its trait groups' traits."""

from dataclasses import asdict
from typing import Any

from profile_lookup.errors import SettingsRefused
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.traits import TraitDefinition, TraitGroup

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
        raise ValueError("settings were stored that are not valid") from error  # a defect of ours, not of a request


def traits_document(group: TraitGroup) -> Document:
    return {name: asdict(definition) for name, definition in group.traits.items()}


def trait_group_of(name: str, document: Document) -> TraitGroup:
    return TraitGroup(name, {trait: TraitDefinition(**definition) for trait, definition in document.items()})
