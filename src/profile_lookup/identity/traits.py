"""Traits: what is known of a person, and which of it identifies them.

A trait group defines the traits it may hold; a definition's `id_type_promotion` makes a trait's value an identifier
of that type as well.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from profile_lookup.errors import TraitsRefused, TraitValueRefused, ValueRefused, nameable
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.normalization import is_storable
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.identity.rules import IdentityResolutionSettings

DataType = Literal["STRING", "NUMBER", "BOOLEAN", "ARRAY"]

MAX_TEXT = 1024
MAX_ITEMS = 100


@dataclass(frozen=True, slots=True)
class TraitDefinition:
    data_type: DataType
    id_type_promotion: str | None = None


@dataclass(frozen=True, slots=True)
class TraitGroup:
    name: str
    traits: Mapping[str, TraitDefinition]


CONTACT = TraitGroup(
    "Contact",
    {
        name: TraitDefinition("STRING")
        for name in (
            "firstName", "lastName", "street", "city", "state", "postalCode", "country", "preferredLanguage",
        )
    }
    | {id_type: TraitDefinition("STRING", id_type) for id_type in ("email", "phone", "whatsapp", "chat")},
)  # fmt: skip
"""What a new store has. The published service names some of these traits; the full list is ours."""


def read_traits(
    groups: Mapping[str, TraitGroup], sent: Mapping[str, Mapping[str, object]]
) -> dict[TraitName, TraitValue]:
    """The traits of a request as their groups define them. Raises `TraitsRefused`."""
    traits: dict[TraitName, TraitValue] = {}
    for group_name, values in sent.items():
        group = groups.get(group_name)
        if group is None:
            raise TraitsRefused(f"traits.{nameable(group_name)}: no such trait group in this store")
        for name, value in values.items():
            definition = group.traits.get(name)
            if definition is None:
                raise TraitsRefused(f"traits.{group_name}.{nameable(name)}: no such trait in this trait group")
            trait = TraitName(group_name, name)
            traits[trait] = _read_value(trait, definition, value)
    return traits


def promoted_identifiers(
    groups: Mapping[str, TraitGroup],
    settings: IdentityResolutionSettings,
    traits: Mapping[TraitName, TraitValue],
) -> list[NormalizedIdentifier]:
    """The identifiers among the traits, each once, in the request's order; an array promotes each of its items.

    A promotion to a type that the store no longer configures makes the trait just a trait.
    Raises `TraitValueRefused` for a value that does not normalize.
    """
    identifiers: dict[NormalizedIdentifier, None] = {}
    for trait, value in traits.items():
        id_type = groups[trait.group].traits[trait.name].id_type_promotion
        if id_type is None or id_type not in settings.id_types:
            continue
        for item in _items(value):
            try:
                identifiers[settings.normalize(Identifier(id_type, item))] = None
            except ValueRefused as refused:
                raise TraitValueRefused(str(trait), refused.reason) from None
    return list(identifiers)


def _items(value: TraitValue) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        yield item if isinstance(item, str) else json.dumps(item)


def _read_value(trait: TraitName, definition: TraitDefinition, value: object) -> TraitValue:
    match definition.data_type:
        case "STRING" if isinstance(value, str):
            return _read_item(trait, value)
        case "NUMBER" if isinstance(value, int) and not isinstance(value, bool):
            return _read_item(trait, value)
        case "BOOLEAN" if isinstance(value, bool):
            return value
        case "ARRAY" if isinstance(value, list):
            if len(value) > MAX_ITEMS:
                raise TraitValueRefused(str(trait), f"expected at most {MAX_ITEMS} items")
            return [_read_item(trait, item) for item in value]
    raise TraitValueRefused(str(trait), f"expected {_DESCRIPTIONS[definition.data_type]}")


def _read_item(trait: TraitName, item: object) -> str | int | bool:
    match item:
        case bool():
            return item
        case int() if -(2**31) <= item < 2**31:
            return item
        case str() if len(item) <= MAX_TEXT and is_storable(item):
            return item
        case int():
            raise TraitValueRefused(str(trait), "expected a number of 32 bits")
        case str():
            raise TraitValueRefused(
                str(trait), f"expected at most {MAX_TEXT} characters, without NUL or lone surrogates"
            )
    raise TraitValueRefused(str(trait), "expected strings, integers and booleans only")


_DESCRIPTIONS: dict[DataType, str] = {
    "STRING": "a string",
    "NUMBER": "an integer of 32 bits",
    "BOOLEAN": "true or false",
    "ARRAY": "a flat array",
}
