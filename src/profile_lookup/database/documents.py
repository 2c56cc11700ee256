"""The JSONB documents of a store: its identity resolution settings and its trait groups' traits."""

from dataclasses import asdict
from typing import Any

from profile_lookup.errors import SettingsRefused
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import RULE_OF_TYPE, TraitDefinition, TraitGroup

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
    return TraitGroup(name, {trait: _definition_of(definition) for trait, definition in document.items()})


def _definition_of(document: Document) -> TraitDefinition:
    rule = document.get("validation_rule")
    if rule is not None:
        # Of which kind it is, the trait's type tells: no definition has another.
        rule = RULE_OF_TYPE[document["data_type"]](**rule)
    return TraitDefinition(**{**document, "validation_rule": rule})
