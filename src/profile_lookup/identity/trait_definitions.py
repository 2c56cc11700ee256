"""A store's trait groups define its traits: what each may hold, and which of them identify a person.

A definition's `id_type_promotion` makes a trait's value an identifier of that type as well.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from profile_lookup.errors import DefinitionProtected, DefinitionRefused, TraitLimitReached
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.values.normalization import is_storable
from profile_lookup.identity.values.patterns import effort, matches, why_no_pattern

DataType = Literal["STRING", "NUMBER", "BOOLEAN", "ARRAY"]

MAX_TRAITS = 95
MAX_NAME = 64
MAX_BOUND = 2**53  # every JSON parser keeps integers up to this one exactly

_LOOKS_LIKE_A_NAME = re.compile("[A-Za-z][A-Za-z_-]{0,29}[0-9]{0,3}")


def nameable(name: str) -> str:
    """Return the name of a field or trait for a message, or a placeholder if it may be a value that a client sent."""
    return name if _LOOKS_LIKE_A_NAME.fullmatch(name) else "(a name)"


@dataclass(frozen=True, slots=True)
class StringRule:
    """Lengths are in characters. `pattern` has RE2's syntax and may match anywhere in the value, in linear time."""

    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None

    def __post_init__(self) -> None:
        _refuse_crossed("Length", self.min_length, self.max_length)

    def refuse_bad_pattern(self) -> None:
        """Compile the pattern. Raises `DefinitionRefused`.

        Call it when a trait is defined, not whenever a definition is loaded: compiling takes time.
        """
        if self.pattern is not None and (expected := why_no_pattern(self.pattern)):
            raise DefinitionRefused(f"validationRule.pattern: {expected}")

    def effort(self, value: str) -> int:
        """Return the cost, at worst, of compiling and trying the pattern, in steps of some five nanoseconds."""
        return 0 if self.pattern is None else effort(self.pattern, len(value))

    def broken_by(self, value: str) -> str | None:
        if self.pattern is not None and not matches(self.pattern, value):
            return "expected what the trait's pattern matches"
        return _outside("character", self.min_length, self.max_length, len(value))


@dataclass(frozen=True, slots=True)
class NumberRule:
    min: float | None = None
    max: float | None = None

    def __post_init__(self) -> None:
        _refuse_crossed("", self.min, self.max)

    def broken_by(self, value: int) -> str | None:
        if self.min is not None and value < self.min:
            return f"expected at least {self.min:.15g}"
        if self.max is not None and value > self.max:
            return f"expected at most {self.max:.15g}"
        return None


@dataclass(frozen=True, slots=True)
class BooleanRule:
    """A rule that no value can break."""

    def broken_by(self, _value: bool) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class ArrayRule:
    min_items: int | None = None
    max_items: int | None = None

    def __post_init__(self) -> None:
        _refuse_crossed("Items", self.min_items, self.max_items)

    def broken_by(self, value: list[Any]) -> str | None:
        return _outside("item", self.min_items, self.max_items, len(value))


ValidationRule = StringRule | NumberRule | BooleanRule | ArrayRule

RULE_OF_TYPE: dict[DataType, type[ValidationRule]] = {
    "STRING": StringRule,
    "NUMBER": NumberRule,
    "BOOLEAN": BooleanRule,
    "ARRAY": ArrayRule,
}


@dataclass(frozen=True, slots=True)
class TraitDefinition:
    """One trait. Raises `DefinitionRefused` when its parts contradict each other."""

    data_type: DataType
    id_type_promotion: str | None = None
    description: str | None = None
    validation_rule: ValidationRule | None = None

    def __post_init__(self) -> None:
        if self.validation_rule is not None and not isinstance(self.validation_rule, RULE_OF_TYPE[self.data_type]):
            raise DefinitionRefused(f"validationRule: expected a ruleType of {self.data_type}, the dataType")

    def identifies_as(self, other: "TraitDefinition") -> bool:
        """Return whether both definitions promote a value to the same identifier."""
        return (self.data_type, self.id_type_promotion) == (other.data_type, other.id_type_promotion)


@dataclass(frozen=True, slots=True)
class TraitGroup:
    """Traits under one name. Raises `TraitLimitReached`, or `DefinitionRefused` for a name that is not allowed."""

    name: str
    traits: Mapping[str, TraitDefinition]

    def __post_init__(self) -> None:
        if len(self.traits) > MAX_TRAITS:
            raise TraitLimitReached(MAX_TRAITS)
        for name in self.traits:
            if not (1 <= len(name) <= MAX_NAME and is_storable(name)):
                raise DefinitionRefused(
                    f"traits.{nameable(name)}: expected a name of 1-{MAX_NAME} characters, "
                    "without NUL or lone surrogates"
                )

    def keeps(self, protected: "TraitGroup") -> bool:
        """Return whether this group has each of the other's traits, with the same type and promotion."""
        return all(
            name in self.traits and self.traits[name].identifies_as(definition)
            for name, definition in protected.traits.items()
        )

    def amended(self, changes: Mapping[str, TraitDefinition | None]) -> "TraitGroup":
        """Return the group with these traits defined as given; None removes one.

        Raises what the constructor raises, and `DefinitionProtected`.
        """
        if self.name == CONTACT.name:
            for name in changes.keys() & CONTACT.traits.keys():
                definition = changes[name]
                if definition is None or not definition.identifies_as(CONTACT.traits[name]):
                    raise DefinitionProtected(str(TraitName(self.name, name)))
        amended = {**self.traits, **changes}
        return TraitGroup(
            self.name, {name: definition for name, definition in amended.items() if definition is not None}
        )


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
"""The protected trait group of every store. The published service names some of its traits; the full list is ours."""


def _refuse_crossed(what: str, least: float | None, most: float | None) -> None:
    if any(bound is not None and abs(bound) > MAX_BOUND for bound in (least, most)):
        raise DefinitionRefused(f"validationRule: expected min{what} and max{what} of at most {MAX_BOUND}")
    if least is not None and most is not None and least > most:
        raise DefinitionRefused(f"validationRule: expected min{what} to be at most max{what}")


def _outside(unit: str, least: int | None, most: int | None, count: int) -> str | None:
    if least is not None and count < least:
        return f"expected at least {least} {unit}s"
    if most is not None and count > most:
        return f"expected at most {most} {unit}s"
    return None
