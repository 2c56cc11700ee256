"""The profiles of a person as they were before each of its events."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from profile_lookup.identity.history.event import Event
from profile_lookup.identity.profile import Profile


def profiles_before(event: Event, after: Profile) -> list[Profile]:
    """Return the profiles that were the person before the event. `after` is the person just after it.

    What was removed since the event is in none of them.
    """
    if event.kind == "created":
        return []
    before = event.before
    identifiers = dict(after.identifiers)
    for each in event.gained:
        identifiers.pop(each, None)
    identifiers |= before.lost
    identifiers |= {each: at for each, at in before.retimed.items() if each in identifiers}
    traits = dict(after.traits)
    for name, trait in before.traits.items():
        traits.pop(name, None)
        if trait is not None:
            traits[name] = trait
    return [Profile(after.id, identifiers, traits), *event.absorbed]


def states_before(events: Sequence[Event], now: Profile) -> dict[UUID, Profile]:
    """Return the profiles that were the person before the first of these events, by their IDs.

    `events` are the last ones of the person, in the order in which they happened; `now` is the person after them.
    """
    states = {now.id: now}
    for event in reversed(events):
        after = states.pop(event.profile_id)
        states |= {profile.id: profile for profile in profiles_before(event, after)}
    return states


def aliases_before(
    earlier: Iterable[Event], aliases: Iterable[UUID], profiles: Mapping[UUID, Profile], canonical: UUID
) -> dict[UUID, set[UUID]]:
    """Return the aliases that each of the profiles had after these earlier events of the person.

    `aliases` are those of its IDs today that existed then. If no event tells of the merge of an alias, it belongs to
    today's canonical profile, or to the earliest of the profiles if that one did not exist yet.
    """
    absorbed_by = {each.id: event.profile_id for event in earlier for each in event.absorbed}
    fallback = canonical if canonical in profiles else min(profiles)
    owned: dict[UUID, set[UUID]] = {each: set() for each in profiles}
    for alias in aliases:
        owner = alias
        while owner not in profiles and owner in absorbed_by:  # each owner is smaller than the one before
            owner = absorbed_by[owner]
        if owner != alias or owner not in profiles:
            owned[owner if owner in profiles else fallback].add(alias)
    return owned
