"""A profile as resolution and merging see it: the identifiers and the traits of one person."""

from collections.abc import Callable, Iterable, Mapping
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


def first_holders(profiles: Iterable[Profile], is_unique: Callable[[str], bool]) -> dict[NormalizedIdentifier, UUID]:
    """Return which profile had each value of a unique type first. Of equal times, the smaller ID comes first."""
    holders: dict[NormalizedIdentifier, tuple[datetime, UUID]] = {}
    for profile in profiles:
        for each, at in profile.identifiers.items():
            if is_unique(each.id_type):
                holders[each] = min((at, profile.id), holders.get(each, (at, profile.id)))
    return {each: profile_id for each, (_, profile_id) in holders.items()}
