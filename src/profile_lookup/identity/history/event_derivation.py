"""Derives the event of a write from the profiles before it and the profile after it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import NOTHING_BEFORE, Before, Event, EventKind, Match, RecordedRequest
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName


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
    identifiers, carried = after.identifiers, request.carried.values()
    # A set is made of dictionaries, and compared with one, in half the time that their views take.
    held = set[NormalizedIdentifier]().union(*[profile.identifiers for profile in before])
    dropped = held.union(carried).difference(identifiers)
    return Event(
        event_id,
        kind,
        at,
        after.id,
        _without_idle_removals(request, before),
        matched,
        rule,
        tuple([Profile(each.id, each.identifiers, each.traits) for each in before[1:]]),
        tuple([each for each in carried if each in identifiers and each not in held]),
        removed,
        tuple(sorted(dropped.difference(removed))),
        _before(request, before, after, dropped) if before else NOTHING_BEFORE,
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
    dropped: Collection[NormalizedIdentifier],
) -> Before:
    canonical, *absorbed = profiles
    identifiers, held = after.identifiers, canonical.identifiers
    of_others = {each for profile in absorbed for each in profile.identifiers if each in held}
    written = of_others.union(request.carried.values())
    retimed = [each for each in written if each in held and identifiers.get(each, held[each]) != held[each]]
    return Before(
        lost={each: held[each] for each in sorted(dropped) if each in held},
        retimed={each: held[each] for each in sorted(retimed)},
        traits=_traits_before(request, canonical.traits, after.traits),
        held=frozenset(of_others),
    )


def _traits_before(
    request: RecordedRequest, before: Mapping[TraitName, Trait], after: Mapping[TraitName, Trait]
) -> dict[TraitName, Trait | None]:
    """Return what the traits that were written or that changed were before."""
    written = request.traits
    changed = [name for name in before.keys() | after.keys() if name in written or before.get(name) != after.get(name)]
    return {name: before.get(name) for name in sorted(changed)}
