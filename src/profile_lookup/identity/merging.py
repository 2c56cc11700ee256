"""A merge chooses the canonical profile and combines the identifiers and traits of all profiles."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName, TraitValue
from profile_lookup.identity.retention import retained
from profile_lookup.identity.rules import IdentityResolutionSettings

MICROSECOND = timedelta(microseconds=1)


def earliest_first(profiles: Iterable[Profile]) -> list[Profile]:
    """Return the profiles in the order of their IDs; the first one is the canonical profile of a merge.

    IDs are time-ordered, so the smallest is the earliest profile, whatever the order of events.
    """
    return sorted(profiles, key=lambda profile: profile.id)


def united_identifiers(profiles: Iterable[Profile]) -> dict[NormalizedIdentifier, datetime]:
    """Return the identifiers of all profiles; one that several profiles held keeps its earliest time."""
    united: dict[NormalizedIdentifier, datetime] = {}
    for profile in profiles:
        in_both = profile.identifiers.keys() & united.keys()
        both = {each: min(profile.identifiers[each], united[each]) for each in in_both}
        united |= profile.identifiers
        united |= both
    return united


def united_traits(profiles: Iterable[Profile]) -> dict[TraitName, Trait]:
    """Return, per name, the most recently written value.

    Of two values written in the same instant, the one whose JSON is greater wins. The values decide, not the profiles,
    so that the order in which profiles were merged makes no difference.
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
    held: Mapping[NormalizedIdentifier, datetime], times: Mapping[NormalizedIdentifier, datetime]
) -> dict[NormalizedIdentifier, datetime]:
    """Return `held` and the identifiers that are added at these times; one that is held already keeps its time."""
    return {**times, **held}


def times_of(incoming: Sequence[NormalizedIdentifier], requested_at: datetime) -> dict[NormalizedIdentifier, datetime]:
    """Return the time of each identifier of a request.

    The values of one request count in the request's order: each is a microsecond later than the one before.
    """
    return {
        identifier: requested_at + position * MICROSECOND for position, identifier in enumerate(dict.fromkeys(incoming))
    }


def evicted(
    profiles: Iterable[Profile], change: Change, kept: Collection[NormalizedIdentifier]
) -> tuple[NormalizedIdentifier, ...]:
    """Return the identifiers that a limit dropped, also those of the request that it did not let in.

    `kept` are the person's identifiers once the change is applied to the profiles.
    """
    before = {*change.incoming}.union(*(profile.identifiers for profile in profiles)) - {change.replaced}
    return tuple(sorted(before.difference(kept)))


def combined(
    settings: IdentityResolutionSettings,
    profiles: Sequence[Profile],
    change: Change,
    requested_at: datetime,
    withheld: Collection[NormalizedIdentifier] = (),
) -> tuple[dict[NormalizedIdentifier, datetime], dict[TraitName, Trait]]:
    """Return the person's identifiers and traits once the change is applied.

    `profiles` are those that are this person; there are none if the person is new. `withheld` are identifiers of the
    change that the person does not get.
    """
    times = times_of(change.incoming, requested_at)
    for identifier in withheld:
        del times[identifier]
    replaced = () if change.replaced is None else (change.replaced, *times)
    return written(settings, profiles, times, change.traits, requested_at, replaced)


def written(
    settings: IdentityResolutionSettings,
    profiles: Sequence[Profile],
    times: Mapping[NormalizedIdentifier, datetime],
    traits: Mapping[TraitName, TraitValue | None],
    written_at: datetime,
    replaced: Collection[NormalizedIdentifier] = (),
) -> tuple[dict[NormalizedIdentifier, datetime], dict[TraitName, Trait]]:
    """Return the identifiers and traits of one person once these are written.

    `times` maps each identifier to add to its time. `replaced` identifiers are removed first.
    """
    held = united_identifiers(profiles)
    for identifier in replaced:
        held.pop(identifier, None)
    united = united_traits(profiles)
    for name, value in traits.items():
        if value is None:
            united.pop(name, None)
        else:
            united[name] = Trait(value, written_at)
    return retained(settings, added(held, times), times), united
