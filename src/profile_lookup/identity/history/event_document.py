"""The JSON document of an event, which is as short as it can be: there is one for nearly every write.

Each identifier stands in it once, in a list to which all other parts refer by position. A forgotten one has only its
type there. Times are microseconds before or after that of the event.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Before, Event, EventKind, Match, RecordedRequest, is_forgotten
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName, TraitValue
from profile_lookup.identity.values.normalization import NormalizedValue

Document = dict[str, Any]


def event_document(event: Event) -> Document:
    """Return the document of an event, without its ID, kind, time and profile, which are stored beside it.

    - `i`: identifiers, each a type and a value; a forgotten one has no value
    - `c`: carried, by place, null where somebody else kept one
    - `m`: matched, one after the other: a position among the participants, an identifier, and 1 if strong
    - `a`, `d`, `e`: added, removed, evicted
    - `b`: the absorbed profiles, each its ID, its identifiers with times, and its traits
    - `l`, `t`, `h`: of the canonical profile, identifiers that it lost or that got another time, and those that an
      absorbed profile had as well
    - `w`: traits that were written; `p`: traits before, null if there was none
    - `r`: the rule; `k`: the participant that was addressed; `n`: held identifiers got the time of the write
    - `x`: history has ended; `u`: the split that undid the join; `o`: who asked
    - `s`: the joins that a split undid; `q`: the profiles that it left; `f`: the profile from which it split this one
    """
    writer = _Writer(event)
    request, before = event.request, event.before
    # Nearly all parts of nearly all events are empty. An empty one is left as it is, and then left out.
    parts = {
        "c": request.carried and writer.carried(request.carried),
        "m": event.matched and writer.matched(event.matched),
        "a": event.added and writer.positions(event.added),
        "d": event.removed and writer.positions(event.removed),
        "e": event.evicted and writer.positions(event.evicted),
        "b": event.absorbed and [writer.profile(each) for each in event.absorbed],
        "l": before.lost and writer.times(before.lost),
        "t": before.retimed and writer.times(before.retimed),
        "h": before.held and sorted(writer.positions(before.held)),
        "w": request.traits and _grouped(request.traits.items()),
        "p": before.traits and writer.traits(before.traits),
        "r": event.rule,
        "k": request.addressed and [writer.participant(request.addressed)],
        "n": request.renews,
        "x": event.has_ended,
        "u": event.undone_by and short_id(event.undone_by),
        "s": event.undid and [short_id(each) for each in event.undid],
        "q": event.parts and [short_id(each) for each in event.parts],
        "f": event.split_from and short_id(event.split_from),
        "o": event.actor and _actor_document(event.actor),
    }
    return {"i": writer.identifiers} | {key: part for key, part in parts.items() if part}


def event_of_document(event_id: UUID, kind: EventKind, at: datetime, profile_id: UUID, document: Document) -> Event:
    """Return the event of a document, and of what is stored beside it."""
    reader = _Reader(at, document)
    absorbed = tuple(
        Profile(_long(short), reader.times(times), reader.held_traits(traits))
        for short, times, traits in document.get("b", ())
    )
    own = () if kind == "created" else (profile_id,)
    participants = (*own, *(profile.id for profile in absorbed))

    def participant(who: int | str) -> UUID:
        return participants[who] if isinstance(who, int) else _long(who)

    return Event(
        event_id,
        kind,
        at,
        profile_id,
        RecordedRequest(
            reader.carried(),
            _ungrouped(document.get("w", {})),
            participant(document["k"][0]) if "k" in document else None,
            renews="n" in document,
        ),
        tuple(
            Match(participant(who), reader.identifiers[position], bool(is_strong))
            for who, position, is_strong in _in_threes(document.get("m", ()))
        ),
        document.get("r"),
        absorbed,
        reader.named("a"),
        reader.named("d"),
        reader.named("e"),
        Before(
            reader.times(document.get("l", ())),
            reader.times(document.get("t", ())),
            reader.traits(document.get("p", {})),
            frozenset(each for each in reader.named("h") if not is_forgotten(each)),
        ),
        Actor(*document["o"]) if "o" in document else None,
        has_ended="x" in document,
        undone_by=_long(document["u"]) if "u" in document else None,
        undid=tuple(map(_long, document.get("s", ()))),
        parts=tuple(map(_long, document.get("q", ()))),
        split_from=_long(document["f"]) if "f" in document else None,
    )


class _Writer:
    """Gives each identifier of an event its position in the document."""

    def __init__(self, event: Event) -> None:
        self._at = event.at
        self._positions: dict[NormalizedIdentifier, int] = {}
        self._participants = {each: position for position, each in enumerate(event.participants)}

    @property
    def identifiers(self) -> list[list[str]]:
        return [[each.id_type] if is_forgotten(each) else [*each] for each in self._positions]

    def position(self, identifier: NormalizedIdentifier) -> int:
        return self._positions.setdefault(identifier, len(self._positions))

    def positions(self, identifiers: Iterable[NormalizedIdentifier]) -> list[int]:
        return [self.position(each) for each in identifiers]

    def carried(self, carried: Mapping[int, NormalizedIdentifier]) -> list[int | None]:
        places = range(max(carried) + 1)
        return [self.position(carried[place]) if place in carried else None for place in places]

    def matched(self, matched: Iterable[Match]) -> list[int | str]:
        """Return who matched, by which identifier and whether strongly, one after the other."""
        matches: list[int | str] = []
        for profile_id, each, is_strong in matched:
            matches += (self.participant(profile_id), self.position(each), int(is_strong))
        return matches

    def profile(self, profile: Profile) -> list[object]:
        return [short_id(profile.id), self.times(profile.identifiers), self.traits(profile.traits)]

    def participant(self, profile_id: UUID) -> int | str:
        position = self._participants.get(profile_id)
        return short_id(profile_id) if position is None else position

    def times(self, times: Mapping[NormalizedIdentifier, datetime]) -> list[int]:
        """Return positions and times, one after the other."""
        return [number for each, at in times.items() for number in (self.position(each), self._offset(at))]

    def traits(self, traits: Mapping[TraitName, Trait | None]) -> Document:
        return _grouped(
            (
                name,
                None
                if trait is None
                else [trait.value, self._offset(trait.written_at), *([1] if trait.lost_identifier else ())],
            )
            for name, trait in traits.items()
        )

    def _offset(self, at: datetime) -> int:
        return (at - self._at) // _MICROSECOND


class _Reader:
    def __init__(self, at: datetime, document: Document) -> None:
        self._at = at
        self._document = document
        self.identifiers = [
            NormalizedIdentifier(id_type, NormalizedValue(value[0] if value else ""))
            for id_type, *value in document["i"]
        ]

    def carried(self) -> dict[int, NormalizedIdentifier]:
        positions = enumerate(self._document.get("c", ()))
        return {place: self.identifiers[position] for place, position in positions if position is not None}

    def named(self, key: str) -> tuple[NormalizedIdentifier, ...]:
        return tuple(self.identifiers[position] for position in self._document.get(key, ()))

    def times(self, flat: Sequence[int]) -> dict[NormalizedIdentifier, datetime]:
        pairs = ((self.identifiers[position], offset) for position, offset in zip(flat[::2], flat[1::2], strict=True))
        return {each: self._time(offset) for each, offset in pairs if not is_forgotten(each)}

    def traits(self, grouped: Document) -> dict[TraitName, Trait | None]:
        return {name: None if held is None else self._trait(*held) for name, held in _ungrouped(grouped).items()}

    def _trait(self, value: TraitValue, offset: int, lost_identifier: int = 0) -> Trait:
        return Trait(value, self._time(offset), bool(lost_identifier))

    def held_traits(self, grouped: Document) -> dict[TraitName, Trait]:
        return {name: trait for name, trait in self.traits(grouped).items() if trait is not None}

    def _time(self, offset: int) -> datetime:
        return self._at + timedelta(microseconds=offset)


_MICROSECOND = timedelta(microseconds=1)


def _in_threes(flat: Sequence[Any]) -> Iterable[tuple[Any, Any, Any]]:
    return zip(flat[::3], flat[1::3], flat[2::3], strict=True)


def _grouped(traits: Iterable[tuple[TraitName, Any]]) -> Document:
    document: Document = {}
    for name, value in traits:
        document.setdefault(name.group, {})[name.name] = value
    return document


def _ungrouped(document: Document) -> dict[TraitName, Any]:
    return {TraitName(group, name): value for group, traits in document.items() for name, value in traits.items()}


def short_id(profile_id: UUID) -> str:
    """Return the ID in 22 characters, as a document has it."""
    return urlsafe_b64encode(profile_id.bytes).rstrip(b"=").decode()


def _long(short: str) -> UUID:
    return UUID(bytes=urlsafe_b64decode(short + "=="))


def _actor_document(actor: Actor) -> list[object]:
    return [actor.type, actor.id] if actor.line is None else [actor.type, actor.id, actor.line]
