"""The undo of an import: what a person would be if none of the import's rows had been applied.

It replays what others wrote, as a split does, but leaves out the writes of the import, wherever they stand.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from profile_lookup.identity.history.creation import Creation
from profile_lookup.identity.history.event import Event, is_forgotten
from profile_lookup.identity.history.event_log import creation_event
from profile_lookup.identity.history.forgetting import identifiers_of
from profile_lookup.identity.history.splitting import Part, Person, events_of_parts, parts_of, replay_since
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.person_names import held_name, without_names, written_name
from profile_lookup.identity.profile import Profile, TraitName
from profile_lookup.identity.rules import IdentityResolutionSettings

Outcome = Literal["erased", "split", "restored", "left"]

HISTORY_ENDED = "the time is over for which history is kept"
NOT_IDENTIFIED = "others have written to it since, and nothing but the import identifies it"
WRITTEN_SINCE = "others have written to it since: what they wrote stays"
HELD_BY_OTHERS = "a value that it had belongs to another profile by now"
BLOCKED = "a value that it had is blocked by now"
NOT_CONFIGURED = "a value that it had is of an identifier type that was removed since"


class StaysAsItIs(Exception):
    """The import cannot be undone for this person. The message says why."""


@dataclass(frozen=True, slots=True)
class PersonWithoutImport:
    """What is left of a person.

    - `parts`: the profiles, the earliest first; none if the import made the person
    - `events`: all events that are left, as they belong to the parts now
    - `erased`: IDs that name nobody any more, since the import made them
    - `is_written_since`: others have written to the person since
    """

    parts: tuple[Part, ...]
    events: tuple[Event, ...]
    erased: frozenset[UUID]
    is_written_since: bool

    def creations(self) -> Iterator[tuple[Event, Creation]]:
        """Yield the creations of parts to which nothing else has happened, so that no event of it need be stored."""
        for part in self.parts:
            events = [each for each in self.events if each.profile_id in part.ids and each.kind != "importUndone"]
            if len(events) == 1 and (creation := _creation_of(part.profile, events[0])):
                yield events[0], creation

    def findings(self, missing: Sequence[str] = ()) -> Iterator[tuple[Outcome, list[UUID], str | None]]:
        """Yield what becomes of the person: each outcome with its profiles and, if there is one, the reason.

        `missing`: why values did not come back, if some did not.
        """
        if self.erased:
            yield "erased", sorted(self.erased), None
        if self.parts:
            is_left = any(part.is_new for part in self.parts)
            outcome: Outcome = "split" if len(self.parts) > 1 else "left" if is_left else "restored"
            reasons = [WRITTEN_SINCE] * self.is_written_since + [*missing]
            yield outcome, [part.profile.id for part in self.parts], "; ".join(reasons) or None


class UndoneImport(NamedTuple):
    """An import, by its wire ID. None of its writes has a time before `began_at`."""

    id: str
    began_at: datetime

    def wrote(self, event: Event) -> bool:
        return event.actor is not None and event.actor.type == "import" and event.actor.id == self.id


def without_import(
    settings: IdentityResolutionSettings,
    person: Person,
    undone: UndoneImport,
    undo_id: UUID,
    withheld: Collection[NormalizedIdentifier] = (),
    is_defined: Callable[[TraitName], bool] = lambda _: True,
) -> PersonWithoutImport:
    """Return what is left of the person when the rows of the import are left out.

    `withheld` are identifiers that no part gets. A part is new if the import made it and others have written to it
    since: it has what they wrote. Raises `StaysAsItIs`.
    """
    first = _first_place(person.events, undone)
    if any(event.has_ended for event in person.events[first:]):
        raise StaysAsItIs(HISTORY_ENDED)
    replay, since = replay_since(settings, person, first, withheld, undo_id, is_defined)
    before = list(replay.parts.values())
    for event in since:
        if undone.wrote(event):
            replay.leave_out(event)
        else:
            replay.apply(event, is_undone=False)
    made = {event.profile_id for event in since if event.kind == "created" and undone.wrote(event)}
    parts = [replace(part, is_new=part.profile.id in made) for part in parts_of(replay, person)]
    if any(part.is_new and not part.profile.identifiers for part in parts):
        raise StaysAsItIs(NOT_IDENTIFIED)
    names = _names_left(person, undone, [*before, *(part.profile for part in parts)])
    left = frozenset[UUID]().union(*(part.ids for part in parts))
    return PersonWithoutImport(
        tuple(replace(part, profile=replace(part.profile, names=_held(names, part.profile))) for part in parts),
        events_of_parts(parts, person, [*person.events[:first], *replay.events]),
        (person.aliases | {person.profile.id}) - left,
        any(_is_write_of_others(undone, event) for event in since),
    )


def identifiers_of_undo(person: Person, undone: UndoneImport) -> set[NormalizedIdentifier]:
    """Return the identifiers that a part can get when the import is undone, and that the person does not have."""
    since = person.events[_first_place(person.events, undone) :]
    return {each for event in since for each in identifiers_of(event)} - person.profile.identifiers.keys()


def lost_identifiers(person: Person, undone: UndoneImport) -> set[NormalizedIdentifier]:
    """Return the identifiers that profiles of the person had lost by the import."""
    lost: set[NormalizedIdentifier] = set()
    for event in filter(undone.wrote, person.events):
        lost.update(event.before.lost)
        lost.update(each for each in event.evicted if any(each in profile.identifiers for profile in event.absorbed))
    return {each for each in lost if not is_forgotten(each)}


def first_event(person: Person, undone: UndoneImport) -> Event | None:
    """Return the first event that the import left in the person's history, or None if there is none any more."""
    return next(filter(undone.wrote, person.events), None)


def _creation_of(profile: Profile, event: Event) -> Creation | None:
    """Return how the profile began, if this event of its creation says all that there is to say of it."""
    creation = Creation(event.at, event.actor)
    is_unchanged = all(trait.written_at == event.at for trait in profile.traits.values())
    return creation if is_unchanged and creation_event(profile, creation) == event else None


def _first_place(events: Sequence[Event], undone: UndoneImport) -> int:
    """Return the place of the event from which on the person is replayed: the import's first one, or an earlier one.

    Of writes that repeat each other, only the first and the last have events. If one of the import's that is not known
    any more gave traits its time, they get back the time of the first.
    """
    times = {event.at for event in events}
    first = len(events)
    for place, event in reversed([*enumerate(events)]):
        if undone.wrote(event):
            first = place
            content = event.repeated_content
            before = (trait.written_at for trait in event.before.traits.values() if trait is not None)
            if content is not None and any(at >= undone.began_at and at not in times for at in before):
                first = next(place for place, each in enumerate(events) if each.repeated_content == content)
    return first


def _is_write_of_others(undone: UndoneImport, event: Event) -> bool:
    return event.kind not in {"split", "importUndone"} and not undone.wrote(event)


def _names_left(
    person: Person, undone: UndoneImport, profiles: Iterable[Profile]
) -> Mapping[NormalizedIdentifier, tuple[int, ...]]:
    """Return the counted names of the person's values without those that only the import wrote.

    `profiles` are those before the import and those that are left: their names stay.
    """
    if not person.profile.names:
        return {}
    written: dict[bool, set[str]] = {True: set(), False: set()}
    for event in person.events:
        written[undone.wrote(event)].add(written_name(event.request.traits) or "")
    kept = written[False].union(held_name(each.traits) or "" for each in profiles)
    return without_names(person.profile.names, written[True], kept)


def _held(
    names: Mapping[NormalizedIdentifier, tuple[int, ...]], profile: Profile
) -> dict[NormalizedIdentifier, tuple[int, ...]]:
    return {each: left for each, left in names.items() if each in profile.identifiers}
