"""What a person's page shows of the person, made of its profile and its events."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from profile_lookup.console.people import shown_value
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.splitting import Person
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.profiles.people import Sharing


class Held(NamedTuple):
    """An identifier of the person: since when, who added it, if that is recorded, and who else has it."""

    id_type: str
    value: str
    added_at: datetime
    actor: Actor | None
    sharing: Sharing | None


class Earlier(NamedTuple):
    value: str
    until: datetime


class Written(NamedTuple):
    """A trait, with its earlier values, the newest first."""

    name: TraitName
    value: str
    at: datetime
    earlier: Sequence[Earlier]


class TimelinePage(NamedTuple):
    """Events, the newest first. `earlier` is the event before which the next page begins; None on the last one."""

    events: Sequence[Event]
    earlier: UUID | None
    is_newest: bool


def held_identifiers(
    settings: IdentityResolutionSettings, person: Person, shared: Mapping[NormalizedIdentifier, Sharing]
) -> list[Held]:
    """Return the identifiers in the order of the store's types, and of each type the earliest first."""
    added_by = {each: event for event in person.events for each in event.added}
    place = {id_type: number for number, id_type in enumerate(settings.id_types)}
    held = sorted(
        person.profile.identifiers.items(), key=lambda item: (place.get(item[0].id_type, len(place)), item[1], item[0])
    )
    return [
        Held(each.id_type, each.value, at, added_by[each].actor if each in added_by else None, shared.get(each))
        for each, at in held
    ]


def written_traits(person: Person) -> list[Written]:
    """Return the traits in the order of their names."""
    earlier = _earlier_values(person.events)
    return [
        Written(name, shown_value(trait.value), trait.written_at, _others(earlier.get(name, {}), trait.value))
        for name, trait in sorted(person.profile.traits.items())
    ]


def timeline(events: Sequence[Event], before: UUID | None, size: int) -> TimelinePage:
    """Return the page of the events that happened before one of them; without one, or if it is unknown, the newest."""
    shown = [each for each in reversed(events) if each.is_shown]
    place = next((place for place, each in enumerate(shown) if each.id == before), None)
    start = 0 if place is None else place + 1
    page = shown[start : start + size]
    return TimelinePage(page, page[-1].id if len(shown) > start + size else None, start == 0)


def _earlier_values(events: Sequence[Event]) -> dict[TraitName, dict[str, datetime]]:
    """Return the values that traits had before, with the last time at which each of them was replaced."""
    earlier: dict[TraitName, dict[str, datetime]] = {}
    for event in events:
        replaced = [(name, previous) for name, _, previous in event.trait_changes()]
        replaced += [(name, trait.value) for profile in event.absorbed for name, trait in profile.traits.items()]
        for name, value in replaced:
            if value is not None:
                earlier.setdefault(name, {})[shown_value(value)] = event.at
    return earlier


def _others(values: Mapping[str, datetime], current: TraitValue) -> list[Earlier]:
    others = [Earlier(value, until) for value, until in values.items() if value != shown_value(current)]
    return sorted(others, key=lambda each: each.until, reverse=True)
