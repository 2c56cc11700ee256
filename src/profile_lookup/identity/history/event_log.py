"""The events of many writes in memory, one after the other."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from profile_lookup.identity.history.creation import Creation
from profile_lookup.identity.history.event import Event, Request, event_of, matches_of
from profile_lookup.identity.history.forgetting import without_identifiers, without_traits
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.resolution import Create, Merge, Resolution, Update, profiles_of
from profile_lookup.identity.rules import IdentityResolutionSettings


def creation_event(profile: Profile, creation: Creation) -> Event:
    """Return the event of the creation of a profile to which nothing else has happened.

    Its ID is that of the profile. The identifiers of a request are a microsecond apart, so their times tell their
    places.
    """
    carried = {
        (at - creation.at) // timedelta(microseconds=1): each
        for each, at in sorted(profile.identifiers.items(), key=lambda item: item[1])
    }
    request = Request(carried, {name: trait.value for name, trait in profile.traits.items()})
    event = Event(profile.id, "created", creation.at, profile.id, request, actor=creation.actor)
    return event_of(event, [], profile.identifiers, profile.traits)


def is_plain(request: Request, identifiers: Collection[NormalizedIdentifier]) -> bool:
    """Return whether a new profile has everything that its request carried, so that no event needs to be stored."""
    return len(identifiers) == len(request.carried)


def about(
    settings: IdentityResolutionSettings, event: Event, resolution: Resolution, replaced: NormalizedIdentifier | None
) -> Event:
    """Return the event of a write with why it was about this person. `replaced` is what its request replaced."""
    in_rules = [each for each in event.request.carried.values() if each.id_type in settings.matching_rules]
    matched = matches_of(settings, in_rules, profiles_of(resolution))
    removed = () if replaced is None or replaced in event.request.carried.values() else (replaced,)
    match resolution:
        case Create():
            return event
        case Update():
            return replace(event, kind=event.request.kind, matched=matched, removed=removed)
        case Merge(rule=rule):
            return replace(event, kind="merged", matched=matched, removed=removed, rule=rule)


class EventLog:
    """Events in the order of their writes, and what later ones made the earlier ones forget.

    `forgotten`: identifiers and traits that were removed, each with the profile that was canonical then. They are to be
    removed from all stored events of that person.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.forgotten: list[tuple[UUID, NormalizedIdentifier | TraitName]] = []
        self._places: dict[UUID, list[int]] = {}

    def record(
        self,
        event: Event,
        before: Sequence[Profile],
        identifiers: Mapping[NormalizedIdentifier, datetime],
        traits: Mapping[TraitName, Trait],
    ) -> None:
        """Record a write to these profiles, the canonical one first; they have the identifiers and traits after it."""
        for profile in before:
            if profile.creation is not None:
                self._add(creation_event(profile, profile.creation))
        for profile in before[1:]:
            self._places.setdefault(event.profile_id, []).extend(self._places.pop(profile.id, ()))
        self._add(event_of(event, before, identifiers, traits))
        removed = [name for name, value in event.request.traits.items() if value is None]
        self._forget(event.profile_id, event.removed, removed)

    def _add(self, event: Event) -> None:
        self._places.setdefault(event.profile_id, []).append(len(self.events))
        self.events.append(event)

    def _forget(
        self, profile_id: UUID, identifiers: Collection[NormalizedIdentifier], names: Collection[TraitName]
    ) -> None:
        if not identifiers and not names:
            return
        for place in self._places[profile_id]:
            self.events[place] = without_traits(without_identifiers(self.events[place], identifiers), names)
        self.forgotten += [(profile_id, each) for each in identifiers]
        self.forgotten += [(profile_id, name) for name in names]
