"""A profile as resolution and merging see it: the identifiers and the traits of one person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from profile_lookup.identity.history.creation import Creation
from profile_lookup.identity.history.separations import NOT_SEPARATED, SeparationsOfIds
from profile_lookup.identity.identifier import NormalizedIdentifier

TraitValue = str | int | bool | list[str | int | bool]


class TraitName(NamedTuple):
    group: str
    name: str

    def __str__(self) -> str:
        return f"{self.group}.{self.name}"


@dataclass(frozen=True, slots=True)
class Trait:
    """`written_at` decides which value a merge keeps. The value is personal data, so `repr` leaves it out.

    `lost_identifier`: the identifier that the value was promoted to was removed since. The value stays as long as the
    trait has it, and then leaves the history as well.
    """

    value: TraitValue = field(repr=False)
    written_at: datetime
    lost_identifier: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """A canonical profile: its identifiers with the time each was added, and its traits.

    - `names`: the counted names of identifiers, of which there are several; see `person_names.py`
    - `separations`: what keeps this person apart from others
    - `creation`: how it began, unless anything else has happened to it
    """

    id: UUID
    identifiers: Mapping[NormalizedIdentifier, datetime]
    traits: Mapping[TraitName, Trait]
    names: Mapping[NormalizedIdentifier, tuple[int, ...]] = field(default_factory=dict)
    separations: SeparationsOfIds = NOT_SEPARATED
    creation: Creation | None = None


def values_by_group(traits: Mapping[TraitName, Trait]) -> dict[str, dict[str, TraitValue]]:
    """Return the values of traits by group and name, in the order of the names."""
    groups: dict[str, dict[str, TraitValue]] = {}
    for (group, name), trait in sorted(traits.items()):
        groups.setdefault(group, {})[name] = trait.value
    return groups
