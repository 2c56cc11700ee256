"""Traits describe a person. They are read as their groups define them, and some of them are identifiers as well."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from profile_lookup.errors import TraitsRefused, TraitValueRefused, ValueRefused
from profile_lookup.identity.blocked_values import PLACEHOLDERS_ALONE, Block, BlockedValues
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import DataType, StringRule, TraitDefinition, TraitGroup, nameable
from profile_lookup.identity.values.invisible_characters import trimmed
from profile_lookup.identity.values.normalization import is_storable

MAX_TEXT = 1024
MAX_ITEMS = 100
MAX_EFFORT = 20_000_000
"""The most that the patterns of one request may cost (`StringRule.effort`).

It is some tenths of a second at worst, during which a process does nothing else.
"""


class TraitReader:
    """Reads the traits of one request, as long as the patterns of all of them together cost little enough."""

    def __init__(self) -> None:
        self._effort = 0

    def read(self, trait: TraitName, definition: TraitDefinition, value: object) -> TraitValue:
        """Return the value, checked against its definition.

        Raises `TraitValueRefused`, or `TraitsRefused` if the patterns cost too much.
        """
        rule = definition.validation_rule
        if isinstance(rule, StringRule) and isinstance(value, str):
            self._effort += rule.effort(value)
            if self._effort > MAX_EFFORT:
                raise TraitsRefused("traits: expected less text, or patterns of validation rules that are simpler")
        return _read_value(trait, definition, value)


def read_traits(
    groups: Mapping[str, TraitGroup], sent: Mapping[str, Mapping[str, object]]
) -> dict[TraitName, TraitValue]:
    """Return the traits of a request, checked against their groups. Raises `TraitsRefused`."""
    reader = TraitReader()
    return {trait: reader.read(trait, definition, value) for trait, definition, value in _defined(groups, sent)}


def read_trait_changes(
    groups: Mapping[str, TraitGroup], sent: Mapping[str, Mapping[str, object]]
) -> dict[TraitName, TraitValue | None]:
    """Do what `read_traits` does, but map a trait that is to be removed to None."""
    reader = TraitReader()
    return {
        trait: None if value is None else reader.read(trait, definition, value)
        for trait, definition, value in _defined(groups, sent)
    }


@dataclass(frozen=True, slots=True)
class BlockedTrait:
    """A trait of which a value would be an identifier of this type, but is blocked. The trait keeps the value."""

    trait: TraitName
    id_type: str
    block: Block


@dataclass(frozen=True, slots=True)
class Promotion:
    """The identifiers among some traits, each once, in the request's order, and what was left out of them.

    `sent`: the value of each as it was sent.
    """

    identifiers: tuple[NormalizedIdentifier, ...]
    blocked: tuple[BlockedTrait, ...] = ()
    sent: Mapping[NormalizedIdentifier, str] = field(default_factory=dict, compare=False, repr=False)


def promote(
    groups: Mapping[str, TraitGroup],
    settings: IdentityResolutionSettings,
    traits: Mapping[TraitName, TraitValue | None],
    blocked_values: BlockedValues = PLACEHOLDERS_ALONE,
) -> Promotion:
    """Return the identifiers among the traits; an array promotes each of its items. Blocked values are left out.

    A value of nothing but white space and characters that cannot be seen identifies nobody and is just a trait.
    A promotion to a type that the store no longer configures makes the trait just a trait.
    Raises `TraitValueRefused` for a value that does not normalize.
    """
    identifiers: dict[NormalizedIdentifier, str] = {}
    blocked: list[BlockedTrait] = []
    for trait, value in traits.items():
        id_type = groups[trait.group].traits[trait.name].id_type_promotion
        if value is None or id_type is None or id_type not in settings.id_types:
            continue
        for item in items_of(value):
            if not trimmed(item):
                continue
            try:
                judged = blocked_values.judge(settings, Identifier(id_type, item))
            except ValueRefused as refused:
                raise TraitValueRefused(str(trait), refused.reason) from None
            if isinstance(judged, Block):
                blocked.append(BlockedTrait(trait, id_type, judged))
            else:
                identifiers.setdefault(judged, item)
    return Promotion(tuple(identifiers), tuple(blocked), identifiers)


def items_of(value: TraitValue) -> Sequence[str]:
    """Return what a promoted trait with this value promotes: each item of an array."""
    if isinstance(value, str):
        return (value,)
    items = value if isinstance(value, list) else [value]
    return [item if isinstance(item, str) else json.dumps(item) for item in items]


def is_text(text: str) -> bool:
    """Return whether the text is the value of a trait of texts that has no rule."""
    return len(text) <= MAX_TEXT and is_storable(text)


def refuse_unstorable(trait: TraitName, value: object) -> None:
    """Refuse a value that no definition would allow, whatever the current one says. Raises `TraitValueRefused`."""
    if isinstance(value, list):
        _read_items(trait, value)
    else:
        _read_item(trait, value)


def _defined(
    groups: Mapping[str, TraitGroup], sent: Mapping[str, Mapping[str, object]]
) -> Iterator[tuple[TraitName, TraitDefinition, object]]:
    for group_name, values in sent.items():
        group = groups.get(group_name)
        if group is None:
            raise TraitsRefused(f"traits.{nameable(group_name)}: no such trait group in this store")
        for name, value in values.items():
            definition = group.traits.get(name)
            if definition is None:
                raise TraitsRefused(f"traits.{group_name}.{nameable(name)}: no such trait in this trait group")
            yield TraitName(group_name, name), definition, value


def _read_value(trait: TraitName, definition: TraitDefinition, value: object) -> TraitValue:
    # The exact type, since True is an `int`, too.
    if type(value) is not _TYPES[definition.data_type]:
        raise TraitValueRefused(str(trait), f"expected {_DESCRIPTIONS[definition.data_type]}")
    read = _read_items(trait, value) if isinstance(value, list) else _read_item(trait, value)
    if definition.validation_rule is not None:
        # `TraitDefinition` guarantees that its rule is for values of its type.
        broken = definition.validation_rule.broken_by(read)  # type: ignore[arg-type]
        if broken:
            raise TraitValueRefused(str(trait), broken)
    return read


def _read_items(trait: TraitName, items: list[object]) -> list[str | int | bool]:
    if len(items) > MAX_ITEMS:
        raise TraitValueRefused(str(trait), f"expected at most {MAX_ITEMS} items")
    return [_read_item(trait, item) for item in items]


def _read_item(trait: TraitName, item: object) -> str | int | bool:
    match item:
        case str() if is_text(item):
            return item
        case bool():
            return item
        case int() if -(2**31) <= item < 2**31:
            return item
        case int():
            raise TraitValueRefused(str(trait), "expected a number of 32 bits")
        case str():
            raise TraitValueRefused(
                str(trait), f"expected at most {MAX_TEXT} characters, without NUL or lone surrogates"
            )
    raise TraitValueRefused(str(trait), "expected strings, integers and booleans only")


_TYPES: dict[DataType, type] = {"STRING": str, "NUMBER": int, "BOOLEAN": bool, "ARRAY": list}

_DESCRIPTIONS: dict[DataType, str] = {
    "STRING": "a string",
    "NUMBER": "an integer of 32 bits",
    "BOOLEAN": "true or false",
    "ARRAY": "a flat array",
}
