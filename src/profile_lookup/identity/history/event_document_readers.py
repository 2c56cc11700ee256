"""Reads the parts of an event's document: those of today's form, and those of the first form, which may be stored."""

from base64 import urlsafe_b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from profile_lookup.identity.history.creation import Actor, ActorType
from profile_lookup.identity.history.event import is_forgotten
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName, TraitValue
from profile_lookup.identity.values.normalization import NormalizedValue

Document = Mapping[str, Any]


class DocumentReader:
    """Reads the form that `event_document` describes.

    The absorbed profiles are read first, then the times of `l` and of `t`, then the traits before: each time is stored
    as the difference to the one that was written before it.
    """

    def __init__(self, at: datetime, document: Document) -> None:
        self._time = at
        self._document = document
        self._identifiers = [
            NormalizedIdentifier(id_type, NormalizedValue(value or ""))
            for id_type, value in _in_tuples(document["v"], 2)
        ]
        self._traits = [TraitName(group, name) for group, *names in document.get("y", ()) for name in names]

    def carried(self) -> dict[int, NormalizedIdentifier]:
        carried = self._document.get("c", ())
        if isinstance(carried, int):
            return dict(enumerate(self._identifiers[:carried]))
        return {place: self._identifiers[position] for place, position in enumerate(carried) if position is not None}

    def written(self) -> dict[TraitName, Any]:
        return dict(zip(self._traits, self._document.get("w", ()), strict=False))

    def matched(self) -> Iterator[tuple[int | str, NormalizedIdentifier, bool]]:
        for who, number in _in_tuples(self._document.get("m", ()), 2):
            yield who, self._identifiers[number // 2], bool(number % 2)

    def named(self, key: str) -> tuple[NormalizedIdentifier, ...]:
        return tuple(self._identifiers[position] for position in self._document.get(key, ()))

    def absorbed(self) -> Iterator[Profile]:
        for short, times, traits in _in_tuples(self._document.get("b", ()), 3):
            yield Profile(long_id(short), self.times(times), self._held(traits))

    def times(self, flat: Sequence[int]) -> dict[NormalizedIdentifier, datetime]:
        pairs = [(self._identifiers[position], self._after_last(since)) for position, since in _in_tuples(flat, 2)]
        return {each: at for each, at in pairs if not is_forgotten(each)}

    def traits_before(self) -> dict[TraitName, Trait | None]:
        known = zip(self._traits, self._document.get("p", ()), strict=False)
        return {name: self._trait(*trait) if isinstance(trait, list) else None for name, trait in known if trait != 1}

    def actor(self) -> Actor | None:
        if "o" not in self._document:
            return None
        named, *line = self._document["o"]
        letter, actor_id = named[0], named[1:]
        if letter == "m":
            actor_id = IMPORT_PREFIX + actor_id
        elif letter == "s":
            actor_id = f"SK{long_id(actor_id).hex}"
        return Actor(_ACTOR_TYPES[letter], actor_id, *line)

    def rule(self) -> str | None:
        (rule,) = self._document.get("r", (None,))
        return self._identifiers[rule].id_type if isinstance(rule, int) else rule

    def _held(self, flat: Sequence[Any]) -> dict[TraitName, Trait]:
        return {
            self._traits[max(number, ~number)]: self._trait(value, since, int(number < 0))
            for number, value, since in _in_tuples(flat, 3)
        }

    def _trait(self, value: TraitValue, since: int, lost_identifier: int = 0) -> Trait:
        return Trait(value, self._after_last(since), bool(lost_identifier))

    def _after_last(self, since: int) -> datetime:
        self._time += timedelta(microseconds=since)
        return self._time


class FirstDocumentReader:
    """Reads the form that was written until November 2026, and still is by a migration.

    - `i`: identifiers, each a type and a value; a forgotten one has no value
    - `m`: matched, one after the other: a position among the participants, an identifier, and 1 if strong
    - `b`: the absorbed profiles, each its ID, its identifiers with times, and its traits
    - `w`, `p`, and the traits of absorbed profiles are by group and name; a time is relative to that of the event
    - `o`: the actor's type and ID, and the line if there is one
    """

    def __init__(self, at: datetime, document: Document) -> None:
        self._at = at
        self._document = document
        self._identifiers = [
            NormalizedIdentifier(id_type, NormalizedValue(value[0] if value else ""))
            for id_type, *value in document["i"]
        ]

    def carried(self) -> dict[int, NormalizedIdentifier]:
        positions = enumerate(self._document.get("c", ()))
        return {place: self._identifiers[position] for place, position in positions if position is not None}

    def written(self) -> dict[TraitName, Any]:
        return _ungrouped(self._document.get("w", {}))

    def matched(self) -> Iterator[tuple[int | str, NormalizedIdentifier, bool]]:
        for who, position, is_strong in _in_tuples(self._document.get("m", ()), 3):
            yield who, self._identifiers[position], bool(is_strong)

    def named(self, key: str) -> tuple[NormalizedIdentifier, ...]:
        return tuple(self._identifiers[position] for position in self._document.get(key, ()))

    def absorbed(self) -> Iterator[Profile]:
        for short, times, traits in self._document.get("b", ()):
            held = {name: trait for name, trait in self._traits(traits).items() if trait is not None}
            yield Profile(long_id(short), self.times(times), held)

    def times(self, flat: Sequence[int]) -> dict[NormalizedIdentifier, datetime]:
        pairs = [(self._identifiers[position], self._time(offset)) for position, offset in _in_tuples(flat, 2)]
        return {each: at for each, at in pairs if not is_forgotten(each)}

    def traits_before(self) -> dict[TraitName, Trait | None]:
        return self._traits(self._document.get("p", {}))

    def actor(self) -> Actor | None:
        return Actor(*self._document["o"]) if "o" in self._document else None

    def rule(self) -> str | None:
        return self._document.get("r")

    def _traits(self, grouped: Document) -> dict[TraitName, Trait | None]:
        return {name: None if held is None else self._trait(*held) for name, held in _ungrouped(grouped).items()}

    def _trait(self, value: TraitValue, offset: int, lost_identifier: int = 0) -> Trait:
        return Trait(value, self._time(offset), bool(lost_identifier))

    def _time(self, offset: int) -> datetime:
        return self._at + timedelta(microseconds=offset)


IMPORT_PREFIX = "mem_import_"

_ACTOR_TYPES: Mapping[str, ActorType] = {
    "a": "account", "k": "key", "s": "key", "i": "import", "m": "import", "o": "operation", "c": "command",
}  # fmt: skip


def _in_tuples(flat: Sequence[Any], size: int) -> Iterable[tuple[Any, ...]]:
    return zip(*(flat[place::size] for place in range(size)), strict=True)


def _ungrouped(document: Document) -> dict[TraitName, Any]:
    return {TraitName(group, name): value for group, traits in document.items() for name, value in traits.items()}


def long_id(short: str) -> UUID:
    return UUID(bytes=urlsafe_b64decode(short + "=="))
