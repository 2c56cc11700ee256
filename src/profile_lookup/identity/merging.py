"""Which profile is canonical, and how what is known of several becomes one."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.retention import retained
from profile_lookup.identity.rules import IdentityResolutionSettings


def earliest_first(profiles: Iterable[Profile]) -> list[Profile]:
    """In the order in which they may be canonical: the first is.

    IDs are time-ordered, so the smallest is the earliest profile, whatever the order of events.
    """
    return sorted(profiles, key=lambda profile: profile.id)


def united_identifiers(profiles: Iterable[Profile]) -> dict[NormalizedIdentifier, datetime]:
    """The union; an identifier that several profiles held keeps its earliest time."""
    united: dict[NormalizedIdentifier, datetime] = {}
    for profile in profiles:
        both = {each: min(at, united[each]) for each, at in profile.identifiers.items() if each in united}
        united |= profile.identifiers
        united |= both
    return united


def united_traits(profiles: Iterable[Profile]) -> dict[TraitName, Trait]:
    """Per name, the most recently written value.

    Of two written in the same instant, the one whose JSON is the greater: by the value, not by the profile, so that it
    makes no difference in which order profiles were merged.
    """
    united: dict[TraitName, Trait] = {}
    for profile in profiles:
        both = {
            name: max(trait, united[name], key=_recency) for name, trait in profile.traits.items() if name in united
        }
        united |= profile.traits
        united |= both
    return united


def _recency(trait: Trait) -> tuple[datetime, str]:
    return trait.written_at, json.dumps(trait.value)


def added(
    held: Mapping[NormalizedIdentifier, datetime],
    incoming: Sequence[NormalizedIdentifier],
    requested_at: datetime,
) -> dict[NormalizedIdentifier, datetime]:
    """`held` and what the request adds; an identifier that is held already keeps its time.

    The values of one request count in the request's order: each is a microsecond later than the one before.
    """
    times = {
        identifier: requested_at + timedelta(microseconds=position)
        for position, identifier in enumerate(dict.fromkeys(incoming))
    }
    times |= held
    return times


def combined(
    settings: IdentityResolutionSettings,
    profiles: Sequence[Profile],
    change: Change,
    requested_at: datetime,
) -> tuple[dict[NormalizedIdentifier, datetime], dict[TraitName, Trait]]:
    """All that the one person has once the change is applied to the profiles that are them; none for a new one."""
    held = united_identifiers(profiles)
    if change.replaced is not None:
        held = {each: at for each, at in held.items() if each != change.replaced and each not in change.incoming}
    traits = united_traits(profiles)
    for name, value in change.traits.items():
        if value is None:
            traits.pop(name, None)
        else:
            traits[name] = Trait(value, requested_at)
    return retained(settings, added(held, change.incoming, requested_at), change.incoming), traits
