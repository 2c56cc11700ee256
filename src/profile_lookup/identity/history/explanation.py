"""An explanation says why profiles and requests are one person, and which identifiers alone hold it together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from profile_lookup.identity.history.bridges import Bridge, bridges_of
from profile_lookup.identity.history.event import Event, is_forgotten
from profile_lookup.identity.history.splitting import Person
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.rules import IdentityResolutionSettings


@dataclass(frozen=True, slots=True)
class HeldIdentifier:
    """An identifier of the person; `event` is the last one that added it, if it is recorded."""

    identifier: NormalizedIdentifier
    added_at: datetime
    event: UUID | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why all this is one person. `joins` are in the order in which they happened."""

    identifiers: tuple[HeldIdentifier, ...]
    joins: tuple[Event, ...]
    bridges: tuple[Bridge, ...]


def explanation_of(settings: IdentityResolutionSettings, person: Person) -> Explanation:
    """Return the explanation of a person from its events; those that were undone explain nothing."""
    added_by = {each: event.id for event in person.events for each in event.added}
    held = sorted(person.profile.identifiers.items(), key=lambda item: (item[1], item[0]))
    return Explanation(
        tuple(HeldIdentifier(each, at, added_by.get(each)) for each, at in held),
        tuple(event for event in person.events if is_join(settings, event)),
        tuple(bridges_of(links_of(person.events))),
    )


def is_join(settings: IdentityResolutionSettings, event: Event) -> bool:
    """Return whether the event made two people one: a merge, or an update by a request that is somebody by itself.

    Such a request has an identifier that the person did not have, or that may be shared.
    """
    if event.undone_by is not None:
        return False
    if event.kind != "updated":
        return event.kind == "merged"
    held = {each.identifier for each in event.matched} - set(event.added)
    carried = [each for each in event.request.carried.values() if not is_forgotten(each)]
    return any(each not in held or not _is_unique(settings, each) for each in carried)


def _is_unique(settings: IdentityResolutionSettings, identifier: NormalizedIdentifier) -> bool:
    return identifier.id_type in settings.id_types and settings.is_unique(identifier.id_type)


class Link(NamedTuple):
    """The request of `event` matched an identifier that `bringer` had brought. Both are profiles or requests.

    `record` is what the request itself is among the things that are linked; None if it is left out.
    """

    identifier: NormalizedIdentifier
    bringer: UUID
    record: UUID | None
    event: Event


def links_of(events: Iterable[Event]) -> dict[NormalizedIdentifier, set[UUID]]:
    """Return the profiles and requests of a person that each matching identifier links."""
    linked: dict[NormalizedIdentifier, set[UUID]] = {}
    for identifier, bringer, record, _ in each_link(events):
        linked.setdefault(identifier, set()).update({bringer} if record is None else {bringer, record})
    return linked


def each_link(events: Iterable[Event]) -> Iterator[Link]:
    """Yield what links the profiles and requests of a person, in the order in which it happened.

    A request is linked to what it matched: to the profile or request that brought the identifier. A request that was
    addressed to a profile, or created it, counts as that profile. One that carried a single identifier is left out: it
    links nothing, and without the identifier it would be nobody.
    """
    brought: dict[UUID, dict[NormalizedIdentifier, UUID]] = {}
    for event in events:
        record = _record(event)
        for match in event.matched:
            if not is_forgotten(match.identifier):
                bringer = brought.get(match.profile_id, {}).get(match.identifier, match.profile_id)
                yield Link(match.identifier, bringer, record, event)
        by_identifier = brought.pop(event.profile_id, {})
        for profile in event.absorbed:
            by_identifier = _united(by_identifier, brought.pop(profile.id, {}))
        by_identifier |= dict.fromkeys(event.added, record or event.profile_id)
        brought[event.profile_id] = by_identifier


def _record(event: Event) -> UUID | None:
    """Return what the request of an event is among the things that are linked; None if it is left out."""
    if event.kind == "created":
        return event.profile_id
    if event.request.addressed is not None:
        return event.request.addressed
    carried = {*event.request.carried.values(), *(each.identifier for each in event.matched)}
    return event.id if len(carried) > 1 else None


def _united(
    own: dict[NormalizedIdentifier, UUID], others: dict[NormalizedIdentifier, UUID]
) -> dict[NormalizedIdentifier, UUID]:
    """Return both in the larger one of them, so that many merges take no longer than few; `own` wins."""
    if len(others) > len(own):
        others |= own
        return others
    for each, bringer in others.items():
        own.setdefault(each, bringer)
    return own
