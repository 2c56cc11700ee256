"""Values that traits keep although their identifiers were removed, once the person that has them is split.

Such a value is marked in the trait, and leaves the history when the trait gets another value: see `Trait`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.forgetting import without_trait_values
from profile_lookup.identity.profile import Profile, Trait, TraitName, TraitValue


def marked(part: Profile, person: Profile) -> Mapping[TraitName, Trait]:
    """Return the traits of a part of this person. Those with a value that is marked in the person are marked as well.

    The replayed writes do not say that the identifier was removed since.
    """
    outlived = _outlived_values(person)
    return {
        name: replace(trait, lost_identifier=True) if (name, trait.value) in outlived else trait
        for name, trait in part.traits.items()
    }


def without_outlived_values(
    events: Sequence[Event], person: Profile, traits_by_id: Mapping[UUID, Mapping[TraitName, Trait]]
) -> Iterator[Event]:
    """Yield the events without the values that are marked in the person and that no trait of their part has.

    `traits_by_id` are the traits of the part that has this ID.
    """
    outlived = _outlived_values(person)
    for event in events:
        traits = traits_by_id.get(event.profile_id, {})
        gone = [(name, value) for name, value in outlived if name not in traits or traits[name].value != value]
        yield without_trait_values(event, gone) if gone else event


def _outlived_values(profile: Profile) -> list[tuple[TraitName, TraitValue]]:
    return [(name, trait.value) for name, trait in profile.traits.items() if trait.lost_identifier]
