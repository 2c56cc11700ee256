"""The JSON document of an event, which is as short as it can be: there is one for nearly every write.

Each identifier and each name of a trait stands in it once, in a list to which all other parts refer by position. A
forgotten identifier has only its type there. A time is the microseconds since the time that stands before it in the
document, and the first one since that of the event: the times of a profile are often equal.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Before, Event, EventKind, Match, RecordedRequest, is_forgotten
from profile_lookup.identity.history.event_document_readers import (
    IMPORT_PREFIX,
    DocumentReader,
    FirstDocumentReader,
    long_id,
)
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Trait, TraitName

Document = dict[str, Any]


def event_document(event: Event) -> Document:
    """Return the document of an event, without its ID, kind, time and profile, which are stored beside it.

    - `v`: identifiers, one after the other: a type, and a value, which is null if it is forgotten
    - `y`: names of traits: lists of a group and its traits
    - `c`: carried, by place, null where somebody else kept one; or their number if they are the first identifiers
    - `m`: matched, one after the other: a position among the participants, and twice that of an identifier, plus 1 if
      it is strong
    - `a`, `d`, `e`: added, removed, evicted
    - `b`: the absorbed profiles, one after the other: an ID, its identifiers with times, and its traits, each a
      position, a value and a time; the position is -1 less itself if the trait has lost its identifier
    - `l`, `t`, `h`: of the canonical profile, identifiers that it lost or that got another time, and those that an
      absorbed profile had as well
    - `w`: the values that were written to the first traits; null removed one
    - `p`: traits before, by position: a value, a time, and 1 if it has lost its identifier; or 0 if there was none, or
      1 if the event does not say
    - `r`: the rule, or the position of an identifier of its type
    - `k`: the participant that was addressed; `n`: held identifiers got the time of the write
    - `x`: history has ended; `u`: the split that undid the join; `o`: who asked: `actor_document`
    - `s`: the joins that a split undid; `q`: the profiles that it left; `f`: the profile from which it split this one
    """
    writer = _Writer(event)
    request, before = event.request, event.before
    # Nearly all parts of nearly all events are empty. An empty one is left as it is, and then left out. The times are
    # read in the order in which they are written here.
    parts = {
        "c": request.carried and writer.carried(request.carried),
        "w": request.traits and writer.written(request.traits),
        "m": event.matched and writer.matched(event.matched),
        "a": event.added and writer.positions(event.added),
        "d": event.removed and writer.positions(event.removed),
        "e": event.evicted and writer.positions(event.evicted),
        "b": event.absorbed and writer.absorbed(event),
        "l": before.lost and writer.times(before.lost),
        "t": before.retimed and writer.times(before.retimed),
        "h": before.held and sorted(writer.positions(before.held)),
        "p": before.traits and writer.traits_before(before.traits),
        "r": None if event.rule is None else [writer.rule(event.rule)],
        "k": request.addressed and [writer.participant(request.addressed)],
        "n": request.renews,
        "x": event.has_ended,
        "u": event.undone_by and short_id(event.undone_by),
        "s": event.undid and [short_id(each) for each in event.undid],
        "q": event.parts and [short_id(each) for each in event.parts],
        "f": event.split_from and short_id(event.split_from),
        "o": event.actor and actor_document(event.actor),
    }
    return writer.lists() | {key: part for key, part in parts.items() if part}


def event_of_document(event_id: UUID, kind: EventKind, at: datetime, profile_id: UUID, document: Document) -> Event:
    """Return the event of a document, and of what is stored beside it."""
    reader = (DocumentReader if "v" in document else FirstDocumentReader)(at, document)
    absorbed = tuple(reader.absorbed())
    own = () if kind == "created" else (profile_id,)
    participants = (*own, *(profile.id for profile in absorbed))

    def participant(who: int | str) -> UUID:
        return participants[who] if isinstance(who, int) else long_id(who)

    return Event(
        event_id,
        kind,
        at,
        profile_id,
        RecordedRequest(
            reader.carried(),
            reader.written(),
            participant(document["k"][0]) if "k" in document else None,
            renews="n" in document,
        ),
        tuple(Match(participant(who), identifier, is_strong) for who, identifier, is_strong in reader.matched()),
        reader.rule(),
        absorbed,
        reader.named("a"),
        reader.named("d"),
        reader.named("e"),
        Before(
            reader.times(document.get("l", ())),
            reader.times(document.get("t", ())),
            reader.traits_before(),
            frozenset(each for each in reader.named("h") if not is_forgotten(each)),
        ),
        reader.actor(),
        has_ended="x" in document,
        undone_by=long_id(document["u"]) if "u" in document else None,
        undid=tuple(map(long_id, document.get("s", ()))),
        parts=tuple(map(long_id, document.get("q", ()))),
        split_from=long_id(document["f"]) if "f" in document else None,
    )


class _Writer:
    """Gives each identifier of an event, and each trait, its position in the document."""

    def __init__(self, event: Event) -> None:
        self._time = event.at
        self._identifiers: dict[NormalizedIdentifier, int] = {}
        self._traits: dict[TraitName, int] = {}
        self._participants = {each: position for position, each in enumerate(event.participants)}

    def lists(self) -> Document:
        """Return the lists to which all other parts refer."""
        identifiers = [part for each in self._identifiers for part in (each.id_type, each.value or None)]
        names: list[list[str]] = []
        for group, name in self._traits:
            if not names or names[-1][0] != group:
                names.append([group])
            names[-1].append(name)
        return {"v": identifiers, "y": names} if names else {"v": identifiers}

    def position(self, identifier: NormalizedIdentifier) -> int:
        return self._identifiers.setdefault(identifier, len(self._identifiers))

    def positions(self, identifiers: Iterable[NormalizedIdentifier]) -> list[int]:
        return [self.position(each) for each in identifiers]

    def carried(self, carried: Mapping[int, NormalizedIdentifier]) -> list[int | None] | int:
        count = max(carried) + 1
        positions = [self.position(carried[place]) if place in carried else None for place in range(count)]
        return count if positions == [*range(count)] else positions

    def written(self, traits: Mapping[TraitName, object]) -> list[object]:
        for name in traits:
            self._trait(name)
        return [*traits.values()]

    def matched(self, matched: Iterable[Match]) -> list[int | str]:
        matches: list[int | str] = []
        for profile_id, each, is_strong in matched:
            matches += (self.participant(profile_id), 2 * self.position(each) + is_strong)
        return matches

    def absorbed(self, event: Event) -> list[object]:
        return [
            part
            for profile in event.absorbed
            for part in (short_id(profile.id), self.times(profile.identifiers), self._traits_held(profile.traits))
        ]

    def rule(self, rule: str) -> int | str:
        positions = (position for each, position in self._identifiers.items() if each.id_type == rule)
        return next(positions, rule)

    def participant(self, profile_id: UUID) -> int | str:
        position = self._participants.get(profile_id)
        return short_id(profile_id) if position is None else position

    def times(self, times: Mapping[NormalizedIdentifier, datetime]) -> list[int]:
        """Return positions and times, one after the other."""
        return [number for each, at in times.items() for number in (self.position(each), self._since_last(at))]

    def traits_before(self, before: Mapping[TraitName, Trait | None]) -> list[object]:
        by_position = {self._trait(name): trait for name, trait in before.items()}
        return [
            self._trait_before(by_position[position]) if position in by_position else 1
            for position in range(max(by_position) + 1)
        ]

    def _trait(self, name: TraitName) -> int:
        return self._traits.setdefault(name, len(self._traits))

    def _traits_held(self, traits: Mapping[TraitName, Trait]) -> list[object]:
        held: list[object] = []
        for name, trait in traits.items():
            position = self._trait(name)
            held += (~position if trait.lost_identifier else position, trait.value, self._since_last(trait.written_at))
        return held

    def _trait_before(self, trait: Trait | None) -> list[object] | int:
        if trait is None:
            return 0
        return [trait.value, self._since_last(trait.written_at), *([1] if trait.lost_identifier else ())]

    def _since_last(self, at: datetime) -> int:
        since, self._time = (at - self._time) // _MICROSECOND, at
        return since


_MICROSECOND = timedelta(microseconds=1)


def short_id(profile_id: UUID) -> str:
    """Return the ID in 22 characters, as a document has it."""
    return urlsafe_b64encode(profile_id.bytes).rstrip(b"=").decode()


def actor_document(actor: Actor) -> list[str | int]:
    """Return a letter for the actor's type, with its ID, and the line if there is one.

    The letters `m` and `s` are of imports and keys whose IDs have the usual form, and are shortened.
    """
    if actor.type == "import" and actor.id.startswith(IMPORT_PREFIX):
        named = f"m{actor.id.removeprefix(IMPORT_PREFIX)}"
    elif actor.type == "key" and _USUAL_KEY.fullmatch(actor.id):
        named = f"s{short_id(UUID(actor.id[2:]))}"
    else:
        named = f"{actor.type[0]}{actor.id}"
    return [named] if actor.line is None else [named, actor.line]


_USUAL_KEY = re.compile("SK[0-9a-f]{32}")
