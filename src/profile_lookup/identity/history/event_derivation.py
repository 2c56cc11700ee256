"""Derives the event of a write from the profiles before it and the profile after it."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import NOTHING_BEFORE, Before, Event, EventKind, Match, RecordedRequest
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile


def event_of(
    event_id: UUID,
    kind: EventKind,
    at: datetime,
    request: RecordedRequest,
    before: Sequence[Profile],
    after: Profile,
    *,
    matched: tuple[Match, ...] = (),
    rule: str | None = None,
    removed: tuple[NormalizedIdentifier, ...] = (),
    actor: Actor | None = None,
    undone_by: UUID | None = None,
) -> Event:
    """Return the event of a write to these profiles, the canonical one first, which are the profile `after` now."""
    identifiers = after.identifiers
    carried = request.carried.values()
    # Sets are made of dictionaries, and compared with them, in half the time that their views take.
    lost = [set(profile.identifiers).difference(identifiers) for profile in before]
    dropped = {each for each in carried if each not in identifiers}.union(*lost)
    added = tuple(
        each for each in carried if each in identifiers and not any(each in profile.identifiers for profile in before)
    )
    return Event(
        event_id,
        kind,
        at,
        after.id,
        _without_idle_removals(request, before),
        matched,
        rule,
        tuple(Profile(each.id, each.identifiers, each.traits) for each in before[1:]),
        added,
        removed,
        tuple(sorted(dropped.difference(removed))),
        _before(request, before, after, lost[0]) if before else NOTHING_BEFORE,
        actor,
        undone_by=undone_by,
    )


def _without_idle_removals(request: RecordedRequest, before: Sequence[Profile]) -> RecordedRequest:
    """Return the request without the removals of traits that nobody had."""
    if None not in request.traits.values():
        return request
    known = {name for profile in before for name in profile.traits}
    written = {name: value for name, value in request.traits.items() if value is not None or name in known}
    return replace(request, traits=written)


def _before(
    request: RecordedRequest,
    profiles: Sequence[Profile],
    after: Profile,
    lost: Collection[NormalizedIdentifier],
) -> Before:
    canonical, *absorbed = profiles
    identifiers, traits = after.identifiers, after.traits
    held = canonical.identifiers
    of_others = {each for profile in absorbed for each in profile.identifiers if each in held}
    written = of_others.union(each for each in request.carried.values() if each in held)
    former_traits = canonical.traits
    return Before(
        lost={each: held[each] for each in sorted(lost)},
        retimed={each: held[each] for each in sorted(written) if identifiers.get(each, held[each]) != held[each]},
        traits={
            name: former_traits.get(name)
            for name in sorted(former_traits.keys() | traits.keys())
            if name in request.traits or former_traits.get(name) != traits.get(name)
        },
        held=frozenset(of_others),
    )
