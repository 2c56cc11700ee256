"""People and their traits as pages show them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self
from uuid import UUID

from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.person_names import NAME_TRAITS
from profile_lookup.identity.profile import Profile, Trait, TraitName, TraitValue

_MAX_IDENTIFIERS = 6


def name_of(traits: Mapping[TraitName, Trait]) -> str:
    """Return a person's name as it is written; empty if the person has none."""
    parts = (traits[part].value for part in NAME_TRAITS if part in traits)
    return " ".join(str(part) for part in parts if part)


class Card(NamedTuple):
    """A person in a list. `identifiers` are the first ones, and `more` says how many others there are."""

    id: UUID
    name: str
    identifiers: Sequence[NormalizedIdentifier]
    more: int

    @classmethod
    def of(cls, profile: Profile) -> Self:
        held = sorted(profile.identifiers, key=lambda each: (profile.identifiers[each], each))
        return cls(profile.id, name_of(profile.traits), held[:_MAX_IDENTIFIERS], len(held[_MAX_IDENTIFIERS:]))


def cards_of(profiles: Iterable[Profile]) -> list[Card]:
    return [Card.of(each) for each in profiles]


def shown_value(value: TraitValue | None) -> str:
    """Return a trait's value as text."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(shown_value(each) for each in value)
        case _:
            return str(value)
