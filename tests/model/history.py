"""The model's history: whole images of everybody before each write, and splits that replay the writes on them.

It is written from the documented rules alone, as the model is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.model.model import Model

Identifier = tuple[str, str]
TraitName = tuple[str, str]


class NoJoin(Exception):
    """An event that is to be undone is no join of the profile."""


@dataclass
class Person:
    """The data of a canonical profile.

    - `identifiers`: maps each identifier to the request that added it and its position in that request
    - `traits`: maps each trait to the request that wrote it and the value
    - `ids`: of an image, all IDs of the profile at that time
    """

    identifiers: dict[Identifier, tuple[int, int]] = field(default_factory=dict)
    traits: dict[TraitName, tuple[int, Any]] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)

    def copy(self, ids: Collection[str] = ()) -> Person:
        return Person(dict(self.identifiers), dict(self.traits), set(ids))


@dataclass
class Event:
    """What a write did. `before`: everybody who was this person, as they were."""

    at: int
    profile: str
    carried: dict[int, Identifier]
    traits: dict[TraitName, Any]
    matched: list[tuple[str, Identifier]]
    before: dict[str, Person]
    addressed: str | None
    renews: bool
    is_undone: bool = False

    @property
    def is_join(self) -> bool:
        return not self.is_undone and (len(self.before) > 1 or (len(self.before) == 1 and self.addressed is None))


@dataclass
class History:
    events: list[Event] = field(default_factory=list)

    def copy(self) -> History:
        return History(
            [
                replace(
                    event,
                    carried=dict(event.carried),
                    traits=dict(event.traits),
                    matched=list(event.matched),
                    before={each: image.copy(image.ids) for each, image in event.before.items()},
                )
                for event in self.events
            ]
        )

    def record(self, event: Event, ids: Collection[str], replaced: Identifier | None) -> None:
        """Add the event of the profile with these IDs. What the write removed leaves all of its events."""
        self.events.append(event)
        gone: set[Identifier | TraitName] = {name for name, value in event.traits.items() if value is None}
        if replaced is not None and replaced not in event.carried.values():
            gone.add(replaced)
        self.forget(ids, gone)

    def forget(self, ids: Collection[str], gone: Collection[Identifier | TraitName]) -> None:
        """Remove these identifiers and traits from all events of the profile with these IDs."""
        for event in self.events:
            if event.profile not in ids:
                continue
            event.carried = {place: each for place, each in event.carried.items() if each not in gone}
            event.matched = [(profile, each) for profile, each in event.matched if each not in gone]
            event.traits = {name: None if name in gone else value for name, value in event.traits.items()}
            for image in event.before.values():
                image.identifiers = {each: at for each, at in image.identifiers.items() if each not in gone}
                image.traits = {name: written for name, written in image.traits.items() if name not in gone}


class Replay:
    """The parts of a profile after its writes were done once more, while those that are named join nobody.

    `became`: for each profile of the events, the IDs of the parts that it has become.
    """

    def __init__(self, model: Model, ids: set[str], named: Collection[int], others: set[Identifier]) -> None:
        own = [event for event in model.history.copy().events if event.profile in ids]
        joins = [event.at for event in own if event.at in named and event.is_join]
        if len(joins) < len(set(named)) or not joins:
            raise NoJoin
        since = [event for event in own if event.at >= min(joins)]
        self.model = model
        self.others = others
        self.parts: dict[str, Person] = {}
        self.became: dict[str, set[str]] = {}
        self.events = [event for event in model.history.events if event.at not in [each.at for each in since]]
        made_since = {event.profile for event in since if not event.before}
        for event in since:
            for profile, image in event.before.items():
                if profile not in made_since and not any(profile in part.ids for part in self.parts.values()):
                    image.identifiers = {each: at for each, at in image.identifiers.items() if each not in others}
                    self.parts[profile] = image.copy(image.ids)
        for event in since:
            self.redo(event, is_named=event.at in named)

    def part_of(self, profile: str) -> str:
        return next(part for part, person in self.parts.items() if profile in person.ids)

    def redo(self, event: Event, *, is_named: bool) -> None:
        candidates = {
            profile: {self.part_of(each) for each in self.became.get(profile, {profile})} for profile in event.before
        }
        chosen = {
            min(parts, key=lambda part: self.rank(event, [i for p, i in event.matched if p == profile], part, profile))
            for profile, parts in candidates.items()
        }
        heirs = set().union(*candidates.values())
        if not event.before or (is_named and len(event.before) == 1):
            new = event.profile if not event.before else f"{event.at:04}"
            event.carried = self.free(event, set())
            if is_named and not event.carried:
                raise NoJoin
            event = replace(event, profile=new, matched=[], before={}, addressed=None)
            self.parts[new] = Person(ids={new})
            heirs.add(new)
        else:
            if is_named:
                chosen = {min(chosen, key=lambda part: self.rank(event, [i for _, i in event.matched], part, None))}
            event = self.unite(event, chosen)
        event.is_undone = event.is_undone or is_named
        self.write(event)
        self.events.append(event)
        for profile in candidates:
            self.became[profile] = {self.part_of(each) for each in heirs}

    def rank(self, event: Event, matched: list[Identifier], part: str, named: str | None) -> tuple[Any, ...]:
        """Return how much a part is meant: addressed, by what it holds, by the ID that the event names, by its age."""
        person, rules = self.parts[part], list(self.model.settings.rules)
        place_of = {each: place for place, each in event.carried.items()}
        places = [(rules.index(each[0]), place_of[each]) for each in matched if each in person.identifiers]
        if event.addressed in person.ids:
            return 0, min(places, default=(99, 0)), part
        if places:
            return 1, min(places), part
        return 2, named not in person.ids, part

    def free(self, event: Event, own: set[str]) -> dict[int, Identifier]:
        """Return what these parts may take of what the event carried."""
        held = {each for part, person in self.parts.items() if part not in own for each in person.identifiers}
        return {
            place: each
            for place, each in event.carried.items()
            if not (self.model.is_unique(each) and each in held | self.others)
        }

    def unite(self, event: Event, parts: set[str]) -> Event:
        """Make the parts one; return the event as it then is."""
        before = {part: self.parts.pop(part) for part in sorted(parts)}
        one = Person()
        for person in before.values():
            for each, at in person.identifiers.items():
                one.identifiers[each] = min(at, one.identifiers.get(each, at))
            for name, written in person.traits.items():
                one.traits[name] = max(written, one.traits.get(name, written), key=lambda trait: trait[0])
            one.ids |= person.ids
        self.parts[min(parts)] = one
        pool = list(dict.fromkeys(each for _, each in event.matched))
        return replace(
            event,
            profile=min(parts),
            matched=[(part, each) for part, person in before.items() for each in pool if each in person.identifiers],
            before={part: person.copy(person.ids) for part, person in before.items()},
            carried=self.free(event, {min(parts)}),
        )

    def write(self, event: Event) -> None:
        person = self.parts[event.profile]
        if event.renews:
            for each in event.carried.values():
                person.identifiers.pop(each, None)
        for place, each in event.carried.items():
            person.identifiers.setdefault(each, (event.at, place))
        self.model.apply_limits(person, event.carried.values())
        for name, value in event.traits.items():
            person.traits.pop(name, None)
            if value is not None:
                person.traits[name] = (event.at, value)
