"""The events of many writes in memory, one after the other."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from profile_lookup.identity.history.creation import Actor, Creation
from profile_lookup.identity.history.event import NOTHING_WRITTEN, Event, EventKind, RecordedRequest, matches_of
from profile_lookup.identity.history.event_derivation import event_of
from profile_lookup.identity.history.forgetting import without_identifiers, without_trait_values, without_traits
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, TraitName, TraitValue
from profile_lookup.identity.resolution import Create, Merge, Resolution, Update, profiles_of
from profile_lookup.identity.rules import IdentityResolutionSettings


def creation_event(profile: Profile, creation: Creation) -> Event:
    """Return the event of the creation of a profile to which nothing else has happened.

    Its ID is that of the profile. The identifiers of a request are a microsecond apart, so the order of their times is
    that of their places.
    """
    in_order = [each for _, each in sorted((at, each) for each, at in profile.identifiers.items())]
    request = RecordedRequest(dict(enumerate(in_order)), {name: trait.value for name, trait in profile.traits.items()})
    return Event(profile.id, "created", creation.at, profile.id, request, added=tuple(in_order), actor=creation.actor)


class Forgotten(NamedTuple):
    """What a person lost. `profile_ids`: the profiles that had become this person by then.

    - `traits`: those of which all values are forgotten
    - `values`: of a trait, one value is forgotten
    """

    profile_ids: frozenset[UUID]
    identifiers: tuple[NormalizedIdentifier, ...]
    traits: tuple[TraitName, ...] = ()
    values: tuple[tuple[TraitName, TraitValue], ...] = ()


class EventLog:
    """Events in the order of their writes, and what later ones made the earlier ones forget.

    `forgotten`: what is to leave the events that were stored before, of which people.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.forgotten: list[Forgotten] = []
        self._absorbed: dict[UUID, frozenset[UUID]] = {}
        self._places: dict[UUID, list[int]] = {}

    def record(
        self,
        settings: IdentityResolutionSettings,
        event_id: UUID,
        at: datetime,
        request: RecordedRequest,
        resolution: Resolution,
        after: Profile,
        replaced: NormalizedIdentifier | None = None,
        actor: Actor | None = None,
    ) -> None:
        """Record a write to the resolution's profiles, which are the profile `after` now.

        `replaced` is the identifier that the request replaced.
        """
        before = profiles_of(resolution)
        carried = request.carried.values()
        in_rules = [each for each in carried or _shared(before) if each.id_type in settings.matching_rules]
        match resolution:
            case Create():
                kind: EventKind = "created"
            case Update():
                kind = request.kind
            case Merge():
                kind = "merged"
        self.add(
            event_of(
                event_id,
                kind,
                at,
                request,
                before,
                after,
                matched=matches_of(settings, in_rules, before),
                rule=resolution.rule if isinstance(resolution, Merge) else None,
                removed=() if replaced is None or replaced in carried else (replaced,),
                actor=actor,
            ),
            before,
        )
        if values := _outlived_values(before, after):
            self._forget(after.id, values=values)

    def record_removal(
        self,
        event_id: UUID,
        at: datetime,
        before: Profile,
        after: Profile,
        removed: tuple[NormalizedIdentifier, ...],
        actor: Actor | None = None,
        *,
        kind: EventKind = "identifierRemoved",
        forgets: bool = True,
    ) -> None:
        """Record that identifiers of the profile were removed. `forgets`: they leave its history as well."""
        event = event_of(event_id, kind, at, NOTHING_WRITTEN, [before], after, removed=removed, actor=actor)
        self.add(event, [before], forgets=forgets)

    def add(self, event: Event, before: Sequence[Profile], *, forgets: bool = True) -> None:
        """Add the event of a write to these profiles, and forget what it removed."""
        for profile in before:
            if profile.creation is not None:
                self._append(creation_event(profile, profile.creation))
        for profile in before[1:]:
            self._places.setdefault(event.profile_id, []).extend(self._places.pop(profile.id, ()))
            absorbed = {profile.id, *self._absorbed.pop(profile.id, ())}
            self._absorbed[event.profile_id] = self._absorbed.get(event.profile_id, frozenset()) | absorbed
        self._append(event)
        if forgets:
            removed = [name for name, value in event.request.traits.items() if value is None]
            self._forget(event.profile_id, event.removed, removed)

    def _append(self, event: Event) -> None:
        self._places.setdefault(event.profile_id, []).append(len(self.events))
        self.events.append(event)

    def _forget(
        self,
        profile_id: UUID,
        identifiers: Collection[NormalizedIdentifier] = (),
        names: Collection[TraitName] = (),
        values: Collection[tuple[TraitName, TraitValue]] = (),
    ) -> None:
        if not identifiers and not names and not values:
            return
        for place in self._places[profile_id]:
            event = without_traits(without_identifiers(self.events[place], identifiers), names)
            self.events[place] = without_trait_values(event, values)
        profile_ids = self._absorbed.get(profile_id, frozenset()) | {profile_id}
        self.forgotten.append(Forgotten(profile_ids, tuple(identifiers), tuple(names), tuple(values)))


def _outlived_values(before: Sequence[Profile], after: Profile) -> list[tuple[TraitName, TraitValue]]:
    """Return the values of traits that have lost their identifiers, and now the traits have lost the values."""
    return [
        (name, trait.value)
        for profile in before
        for name, trait in profile.traits.items()
        if trait.lost_identifier and (name not in after.traits or after.traits[name].value != trait.value)
    ]


def _shared(profiles: Sequence[Profile]) -> list[NormalizedIdentifier]:
    """Return the identifiers that several of the profiles hold: why they merge when no request carries any."""
    counts = Counter(each for profile in profiles for each in profile.identifiers)
    return [each for each, count in counts.items() if count > 1]
