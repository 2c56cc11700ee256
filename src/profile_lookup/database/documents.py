"""Converts the JSONB documents, and the text that names an actor.

They hold a store's settings and blocked values, a trait group's definitions, and a profile's traits and separations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from pydantic_core import to_json

from profile_lookup.errors import RequestRefused, SettingsRefused
from profile_lookup.identity.blocked_values import BlockedPattern, BlockedValues
from profile_lookup.identity.history.creation import Actor, ActorType
from profile_lookup.identity.history.separations import Separation, SeparationsOfIds
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Trait, TraitName, TraitValue
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import RULE_OF_TYPE, TraitDefinition, TraitGroup

Document = dict[str, Any]


def json_text(document: Document) -> str:
    """Return the document as JSON, in a sixth of the time that `json.dumps` takes: each write has several of them.

    It has no spaces, and no escapes but those that JSON requires.
    """
    return to_json(document).decode()


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

    A trait that was written at `created_at`, when its profile was created, has no time of its own. A 1 stands after the
    time if the trait has lost its identifier.
    """
    document: Document = {}
    for (group, name), trait in traits.items():
        if trait.lost_identifier:
            more: tuple[int, ...] = (microseconds(trait.written_at), 1)
        else:
            more = () if trait.written_at == created_at else (microseconds(trait.written_at),)
        document.setdefault(group, {})[name] = [trait.value, *more]
    return document


def serialized_new_traits(values: Mapping[TraitName, TraitValue]) -> Document:
    """Return the document of `profile.traits` for traits that are as old as their profile."""
    document: Document = {}
    for (group, name), value in values.items():
        document.setdefault(group, {})[name] = [value]
    return document


def parsed_traits(document: Document, created_at: datetime) -> dict[TraitName, Trait]:
    return {
        TraitName(group, name): Trait(value, time_of(more[0]) if more else created_at, len(more) > 1)
        for group, traits in document.items()
        for name, (value, *more) in traits.items()
    }


def microseconds(time: datetime) -> int:
    """Return the time as microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def time_of(microseconds: int) -> datetime:
    """Return the time that is so many microseconds after 1970 began."""
    return _EPOCH + timedelta(microseconds=microseconds)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def actor_text(actor: Actor | None) -> str | None:
    """Return the text of `profile.created_by`: the type, the ID and, of an import, the line, separated by spaces."""
    if actor is None:
        return None
    return f"{actor.type} {actor.id}" if actor.line is None else f"{actor.type} {actor.id} {actor.line}"


def actor_of(stored: str | None) -> Actor | None:
    if stored is None:
        return None
    actor_type, _, actor_id = stored.partition(" ")
    if actor_type != "import":
        return Actor(cast("ActorType", actor_type), actor_id)
    import_id, _, line = actor_id.partition(" ")
    return Actor("import", import_id, int(line) if line else None)


def separations_of(document: Sequence[Sequence[tuple[str, int, bool]]] | None) -> SeparationsOfIds:
    """Return the separations that `separations_of` in `identity_locks.sql` returns of a profile."""
    return frozenset(
        frozenset(Separation(UUID(decision), part, is_lifted) for decision, part, is_lifted in of_id)
        for of_id in document or ()
    )


def _definition_of(document: Document) -> TraitDefinition:
    rule = document.get("validation_rule")
    if rule is not None:
        # The trait's type determines the type of its rule.
        rule = RULE_OF_TYPE[document["data_type"]](**rule)
    return TraitDefinition(**{**document, "validation_rule": rule})
