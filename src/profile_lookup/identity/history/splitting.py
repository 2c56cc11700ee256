"""A split undoes joins of a person: it replays the writes since then, and the joins that it names join nobody."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from profile_lookup.errors import AlreadyUndone, JoinRefused, RequestRefused
from profile_lookup.identity.history.earlier_states import aliases_before, states_before
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.forgetting import (
    identifiers_of,
    traits_of,
    without_identifiers,
    without_traits,
)
from profile_lookup.identity.history.outlived_values import marked, without_outlived_values
from profile_lookup.identity.history.part_replay import IdentifiesNobody, PartReplay
from profile_lookup.identity.history.separations import Separation, parted
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, TraitName
from profile_lookup.identity.rules import IdentityResolutionSettings

_WITHIN_HISTORY = "a join within the time for which history is kept"


@dataclass(frozen=True, slots=True)
class Part:
    """A person that a split leaves.

    - `is_new`: no ID of the person before was its ID
    - `lost`: what its history says that it has, and the split does not give back
    """

    profile: Profile
    aliases: frozenset[UUID]
    is_new: bool
    lost: Mapping[NormalizedIdentifier, datetime] = field(default_factory=dict)

    @property
    def ids(self) -> frozenset[UUID]:
        return self.aliases | {self.profile.id}


@dataclass(frozen=True, slots=True)
class Split:
    """What a split leaves.

    - `parts`: the earliest first
    - `events`: all events of the person, as they belong to the parts now
    """

    id: UUID
    parts: tuple[Part, ...]
    events: tuple[Event, ...]

    def separations(self) -> dict[UUID, Separation]:
        """Return what keeps the parts apart, for each of their IDs."""
        return parted(self.id, [part.ids for part in self.parts])


def times_of_creation(parts: Iterable[Profile], events: Iterable[Event], split_at: datetime) -> dict[UUID, datetime]:
    """Return when each of these profiles began: the time of its creation, if one of the events tells it.

    An earlier version did not record creations. Then the profile is as old as the oldest thing that it has.
    """
    created = {event.profile_id: event.at for event in events if event.kind == "created"}
    return {part.id: created.get(part.id) or _oldest_time(part, split_at) for part in parts}


def _oldest_time(profile: Profile, default: datetime) -> datetime:
    written = (trait.written_at for trait in profile.traits.values())
    return min((*profile.identifiers.values(), *written), default=default)


@dataclass(frozen=True, slots=True)
class Person:
    """A person as it is, with all its events in the order in which they happened."""

    profile: Profile
    aliases: frozenset[UUID]
    events: Sequence[Event]


def split(
    settings: IdentityResolutionSettings,
    person: Person,
    named: Sequence[UUID],
    split_id: UUID,
    withheld: Collection[NormalizedIdentifier] = (),
    is_defined: Callable[[TraitName], bool] = lambda _: True,
) -> Split:
    """Return what is left when the named joins are undone.

    `withheld` are identifiers that no part gets: values of unique types that somebody else holds today, and blocked
    ones. Types and traits that are no longer configured or defined are left out. Raises `JoinRefused`, or
    `AlreadyUndone`.
    """
    joins = _joins(person.events, named)
    first = next(place for place, event in enumerate(person.events) if event.id in joins)
    if any(event.has_ended for event in person.events[first:]):
        raise JoinRefused(named.index(person.events[first].id), _WITHIN_HISTORY)
    replay, since = replay_since(settings, person, first, withheld, split_id, is_defined)
    for event in since:
        try:
            replay.apply(event, is_undone=event.id in joins)
        except IdentifiesNobody:
            raise JoinRefused(named.index(event.id), "a join whose request identifies somebody by itself") from None
    parts = tuple(parts_of(replay, person))
    return Split(split_id, parts, events_of_parts(parts, person, [*person.events[:first], *replay.events]))


def replay_since(
    settings: IdentityResolutionSettings,
    person: Person,
    first: int,
    withheld: Collection[NormalizedIdentifier],
    split_id: UUID,
    is_defined: Callable[[TraitName], bool],
) -> tuple[PartReplay, Sequence[Event]]:
    """Return the person as it was before the event at this place, and the events from there on, to be replayed.

    Types and traits that are no longer configured or defined are left out.
    """
    earlier = person.events[:first]
    since = [_configured(settings, is_defined, event) for event in person.events[first:]]
    states = states_before(since, _configured_profile(settings, is_defined, person.profile))
    created = {event.profile_id for event in since if event.kind == "created"}
    aliases = aliases_before(earlier, person.aliases - created, states, person.profile.id) if states else {}
    return PartReplay(settings, states.values(), aliases, withheld, split_id), since


def identifiers_that_may_return(events: Sequence[Event], named: Collection[UUID]) -> set[NormalizedIdentifier]:
    """Return the identifiers that a part can get when these joins are undone, beside those that the person has.

    `events` are all events of the person. A split locks the keys of these identifiers, and finds out who else has them.
    """
    first = next((place for place, event in enumerate(events) if event.id in named), len(events))
    return {identifier for event in events[first:] for identifier in identifiers_of(event)}


def _joins(events: Sequence[Event], named: Sequence[UUID]) -> set[UUID]:
    """Return the IDs of the events if all of them can be undone. Raises `JoinRefused` or `AlreadyUndone`."""
    known = {event.id: event for event in events}
    undone = {each for event in events for each in event.undid}
    for position, event_id in enumerate(named):
        event = known.get(event_id)
        if event_id in undone or (event is not None and event.undone_by is not None):
            raise AlreadyUndone(position)  # the event may belong to another part since
        if event is None:
            raise JoinRefused(position, "an event of this profile")
        if event.kind not in {"merged", "updated"}:
            raise JoinRefused(position, "a join: an event of kind merged or updated")
        if event.has_ended:
            raise JoinRefused(position, _WITHIN_HISTORY)
    if not named:
        raise RequestRefused("events: expected at least one")
    return set(named)


def parts_of(replay: PartReplay, person: Person) -> Iterator[Part]:
    """Yield the parts, the earliest first. Counted names belong to a value, so they go where it goes."""
    ids = replay.ids_by_part()
    for part_id, part in sorted(replay.parts.items()):
        names = {each: counted for each, counted in person.profile.names.items() if each in part.identifiers}
        aliases = frozenset(ids[part_id] - {part_id})
        is_new = part_id not in {person.profile.id, *person.aliases}
        profile = replace(part, names=names, traits=marked(part, person.profile))
        yield Part(profile, aliases, is_new, replay.lost.get(part_id, {}))


def events_of_parts(parts: Iterable[Part], person: Person, events: Sequence[Event]) -> tuple[Event, ...]:
    """Return the events as the histories of these parts have them, without values that their part has lost."""
    traits = {each: part.profile.traits for part in parts for each in part.ids}
    return tuple(without_outlived_values(events, person.profile, traits))


def _configured(settings: IdentityResolutionSettings, is_defined: Callable[[TraitName], bool], event: Event) -> Event:
    """Return the event without types and traits that are no longer configured or defined."""
    if unknown := {each for each in identifiers_of(event) if each.id_type not in settings.id_types}:
        event = without_identifiers(event, unknown)
    if undefined := {name for name in traits_of(event) if not is_defined(name)}:
        event = without_traits(event, undefined)
    return event


def _configured_profile(
    settings: IdentityResolutionSettings, is_defined: Callable[[TraitName], bool], profile: Profile
) -> Profile:
    return Profile(
        profile.id,
        {each: at for each, at in profile.identifiers.items() if each.id_type in settings.id_types},
        {name: trait for name, trait in profile.traits.items() if is_defined(name)},
    )
