"""A store in memory, whose decisions are those of the product: profiles, aliases, events and separations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from profile_lookup.errors import ProfileLookupError
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.event_log import EventLog, Forgotten, creation_event
from profile_lookup.identity.history.forgetting import without_identifiers, without_traits
from profile_lookup.identity.history.import_undo import UndoneImport, first_event
from profile_lookup.identity.history.separations import Separation, of_person, parted
from profile_lookup.identity.history.split_events import events_of_split
from profile_lookup.identity.history.splitting import Person, Split, identifiers_that_may_return, split
from profile_lookup.identity.history.undone_people import ImportUndo, Undone
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.profile_replay import ProfileReplay
from profile_lookup.identity.rules import IdentityResolutionSettings
from tests.identity.building import at
from tests.identity.history.random_writes import RandomWrite
from tests.model.model import Model, Refused

ACTOR = Actor("command", "test")

State = dict[str, tuple[dict[tuple[str, str], tuple[int, int]], dict[tuple[str, str], tuple[int, Any]], set[str]]]
"""By profile: identifiers with request and place, traits with request and value, aliases."""


def numbered(number: int) -> str:
    """Return the ID that the model has for the profile with this number."""
    return f"{number:04}"


@dataclass(frozen=True)
class DoneWrite:
    number: int
    change: Change
    known: UUID | None = None
    removed: NormalizedIdentifier | None = None
    erases: bool = False
    split: Split | None = None
    named: tuple[UUID, ...] = ()
    keeps_apart: bool = True
    lifted: tuple[set[UUID], set[UUID]] | None = None


def is_join(event: Event) -> bool:
    return event.kind in {"merged", "updated"} and event.undone_by is None


class MemoryStore:
    """Each write has a number, which is its time in seconds, and the ID of what it creates."""

    def __init__(self, settings: IdentityResolutionSettings) -> None:
        self.settings = settings
        self.profiles: dict[UUID, Profile] = {}
        self.aliases: dict[UUID, UUID] = {}
        self.stored_events: list[Event] = []
        self.separations: dict[UUID, frozenset[Separation]] = {}
        self.number = 0

    # Queries.

    def canonical(self, profile_id: UUID) -> UUID:
        return self.aliases.get(profile_id, profile_id)

    def ids_of(self, profile_id: UUID) -> set[UUID]:
        return {profile_id} | {alias for alias, of in self.aliases.items() if of == profile_id}

    def events(self, profile_id: UUID) -> list[Event]:
        """Return the events of a person, also that of a creation which is not stored."""
        ids = self.ids_of(profile_id)
        profile = self.profiles[profile_id]
        derived = [] if profile.creation is None else [creation_event(profile, profile.creation)]
        of_person = [event for event in self.stored_events if event.profile_id in ids]
        return sorted(derived + of_person, key=lambda event: event.id)

    def person(self, profile_id: UUID) -> Person:
        aliases = frozenset(self.ids_of(profile_id) - {profile_id})
        return Person(self.profiles[profile_id], aliases, self.events(profile_id))

    def state(self) -> State:
        state: State = {}
        for profile in self.profiles.values():
            identifiers = {}
            for each, added_at in profile.identifiers.items():
                seconds = (added_at - at(0)) // timedelta(seconds=1)
                place = (added_at - at(seconds)) // timedelta(microseconds=1)
                identifiers[each.id_type, str(each.value)] = seconds, place
            traits = {
                (name.group, name.name): ((trait.written_at - at(0)) // timedelta(seconds=1), trait.value)
                for name, trait in profile.traits.items()
            }
            aliases = {numbered(alias.int) for alias in self.ids_of(profile.id) - {profile.id}}
            state[numbered(profile.id.int)] = identifiers, traits, aliases
        return state

    # Writes.

    def change(self, change: Change, known: UUID | None = None) -> UUID:
        return self._change(change, known)

    def import_row(self, change: Change, import_id: str) -> UUID:
        return self._change(change, actor=Actor("import", import_id, self.number))

    def _change(self, change: Change, known: UUID | None = None, actor: Actor | None = None) -> UUID:
        self.number += 1
        replay = ProfileReplay(self.settings, self.profiles.values(), lambda: UUID(int=self.number))
        try:
            written = replay.apply(change, at(self.number), known, actor=actor)
        except ProfileLookupError:
            self.number -= 1
            raise
        for profile_id, canonical_id in replay.difference().aliases.items():
            self.aliases = {alias: canonical_id if of == profile_id else of for alias, of in self.aliases.items()}
            self.aliases[profile_id] = canonical_id
            del self.profiles[profile_id]
        self.profiles[written.profile_id] = replay._now[written.profile_id]
        self._store(replay.difference().events, replay.difference().forgotten)
        return written.profile_id

    def remove(self, profile_id: UUID, identifier: NormalizedIdentifier) -> None:
        self.number += 1
        profile = self.profiles[profile_id]
        kept = {each: added_at for each, added_at in profile.identifiers.items() if each != identifier}
        log = EventLog()
        after = replace(profile, identifiers=kept, creation=None)
        log.record_removal(UUID(int=self.number), at(self.number), profile, after, (identifier,))
        self.profiles[profile_id] = after
        self._store(log.events, log.forgotten)

    def erase(self, profile_id: UUID) -> None:
        self.number += 1
        ids = self.ids_of(profile_id)
        self.stored_events = [event for event in self.stored_events if event.profile_id not in ids]
        self.separations = {each: held for each, held in self.separations.items() if each not in ids}
        self.aliases = {alias: of for alias, of in self.aliases.items() if of != profile_id}
        del self.profiles[profile_id]

    def split(self, profile_id: UUID, named: list[UUID], *, keeps_apart: bool = True) -> Split:
        held_by_others = {
            each
            for other in self.profiles.values()
            for each in other.identifiers
            if other.id != profile_id and self.settings.is_unique(each.id_type)
        }
        person = self.person(profile_id)
        possible = person.profile.identifiers.keys() | identifiers_that_may_return(person.events, named)
        done = split(self.settings, person, named, UUID(int=self.number + 1), held_by_others)
        assert all(part.profile.identifiers.keys() <= possible for part in done.parts)
        self.number += 1
        replayed = {event.id for event in done.events}
        position = min(place for place, event in enumerate(person.events) if event.id in replayed)
        changed = {event.id for event in person.events[position:]}
        assert changed == replayed
        # Each event keeps its place among all events.
        rewritten = {event.id: event for event in done.events}
        stored = {event.id for event in self.stored_events}
        self.stored_events = [rewritten.get(event.id, event) for event in self.stored_events]
        assert changed <= stored
        del self.profiles[profile_id]
        self.aliases = {alias: of for alias, of in self.aliases.items() if of != profile_id}
        for part in done.parts:
            self.profiles[part.profile.id] = part.profile
            self.aliases |= dict.fromkeys(part.aliases, part.profile.id)
        if keeps_apart:
            for each, separation in done.separations().items():
                self.separations[each] = self.separations.get(each, frozenset()) | {separation}
        self._refresh_separations()
        self.stored_events += events_of_split(
            done, profile_id, tuple(named), at(self.number), ACTOR, self._next_id, is_blocked=lambda _: False
        )
        return done

    def undo_import(self, import_id: str) -> dict[UUID, Undone]:
        """Undo an import, and return what became of each person that it had changed."""
        self.number += 1
        undone_import = UndoneImport(import_id, at(0))
        undo = ImportUndo(self.settings, undone_import, UUID(int=self.number))
        everybody = [self.person(profile_id) for profile_id in self.profiles]
        people = {each.profile.id: each for each in everybody if first_event(each, undone_import)}
        holders = {
            each: profile.id
            for profile in self.profiles.values()
            for each in profile.identifiers
            if self.settings.is_unique(each.id_type)
        }
        undone = undo.undone(people, holders)
        for profile_id, done in undone.items():
            if isinstance(done.left, str):
                continue
            ids = self.ids_of(profile_id)
            self.stored_events = [event for event in self.stored_events if event.profile_id not in ids]
            self.stored_events = sorted((*self.stored_events, *done.left.events), key=lambda event: event.id)
            self.separations = {each: of for each, of in self.separations.items() if each not in done.left.erased}
            self.aliases = {alias: of for alias, of in self.aliases.items() if of != profile_id}
            del self.profiles[profile_id]
            for part in done.left.parts:
                self.profiles[part.profile.id] = part.profile
                self.aliases |= dict.fromkeys(part.aliases, part.profile.id)
        self._refresh_separations()
        return undone

    def _next_id(self) -> UUID:
        self.number += 1
        return UUID(int=self.number)

    def lift(self, one: UUID, other: UUID) -> None:
        self.number += 1
        lifted = parted(UUID(int=self.number), [self.ids_of(one), self.ids_of(other)], is_lifted=True)
        for each, separation in lifted.items():
            self.separations[each] = self.separations.get(each, frozenset()) | {separation}
        self._refresh_separations()

    def do(self, write: RandomWrite) -> "DoneWrite | None":
        """Do a random write, and return it with its number and real IDs; None if it was refused or has no object."""
        try:
            return self._do(write)
        except ProfileLookupError:
            return None

    def _do(self, write: RandomWrite) -> "DoneWrite | None":  # noqa: C901, PLR0911 -- a case for each kind
        change = Change(write.carried, dict(write.traits))
        if write.kind == "create":
            self.change(change)
            return DoneWrite(self.number, change)
        if not self.profiles:
            return None
        known = sorted(self.profiles)[write.profile % len(self.profiles)]
        held = sorted(self.profiles[known].identifiers)
        identifier = held[write.which % len(held)] if held else None
        match write.kind:
            case "patch" | "add" if change.incoming or change.traits:
                self.change(change, known)
            case "replace" if identifier is not None and identifier not in change.incoming:
                change = replace(change, replaced=identifier)
                self.change(change, known)
            case "remove" if identifier is not None:
                self.remove(known, identifier)
                return DoneWrite(self.number, change, known, removed=identifier)
            case "erase":
                self.erase(known)
                return DoneWrite(self.number, change, known, erases=True)
            case "split":
                joins = [event.id for event in self.events(known) if is_join(event)]
                named = [each for place, each in enumerate(joins) if write.which >> (place % 6) & 1]
                if not named:
                    return None
                done = self.split(known, named, keeps_apart=write.keeps_apart)
                return DoneWrite(
                    self.number, change, known, split=done, named=tuple(named), keeps_apart=write.keeps_apart
                )
            case "lift":
                other = sorted(self.profiles)[write.which % len(self.profiles)]
                if other == known:
                    return None
                self.lift(known, other)
                return DoneWrite(self.number, change, known, lifted=(self.ids_of(known), self.ids_of(other)))
            case _:
                return None
        return DoneWrite(self.number, change, known)

    def _store(self, events: Sequence[Event], forgotten: Sequence[Forgotten]) -> None:
        for each in forgotten:
            ids = self.ids_of(self.canonical(min(each.profile_ids)))
            for place, event in enumerate(self.stored_events):
                if event.profile_id in ids:
                    self.stored_events[place] = without_traits(
                        without_identifiers(event, each.identifiers), each.traits
                    )
        self.stored_events += events

    def _refresh_separations(self) -> None:
        for profile in list(self.profiles.values()):
            separations = of_person(self.ids_of(profile.id), self.separations)
            self.profiles[profile.id] = replace(profile, separations=separations)


def replayed_on(model: Model, write: DoneWrite) -> str | None:
    """Do the same write on the model; return its profile, or None if the model refuses it."""
    known = None if write.known is None else numbered(write.known.int)
    profile = "" if known is None else model.aliases.get(known, known)
    try:
        if write.removed is not None:
            model.remove(profile, _pair(write.removed))
        elif write.erases:
            model.erase(profile)
        elif write.split is not None:
            model.split(profile, [each.int for each in write.named], keeps_apart=write.keeps_apart)
        elif write.lifted is not None:
            one, other = ({model.aliases.get(each, each) for each in map(_name, ids)} for ids in write.lifted)
            model.lift(one.pop(), other.pop())
        else:
            change = write.change
            return model.write(
                write.number,
                [_pair(each) for each in change.incoming],
                {(name.group, name.name): value for name, value in change.traits.items()},
                known=profile or None,
                new_profile=numbered(write.number),
                replaced=None if change.replaced is None else _pair(change.replaced),
            )
    except Refused:
        return None
    return profile


def _pair(identifier: NormalizedIdentifier) -> tuple[str, str]:
    return identifier.id_type, str(identifier.value)


def _name(profile_id: UUID) -> str:
    return numbered(profile_id.int)


def model_state(model: Model) -> State:
    return {
        profile: (person.identifiers, person.traits, model.ids_of(profile) - {profile})
        for profile, person in model.people.items()
    }
