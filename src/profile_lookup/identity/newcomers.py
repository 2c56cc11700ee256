"""Newcomers: of many requests, those that share no identifier with anybody else, neither a profile nor a request.

Each is about a new person, whatever the order of the requests, so that no request has to be resolved after another.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.merging import times_of
from profile_lookup.identity.profile import Profile, TraitName, TraitValue
from profile_lookup.identity.retention import retained
from profile_lookup.identity.rules import IdentityResolutionSettings


class NewProfile(NamedTuple):
    """The profile that a newcomer gets. Its traits were written at `created_at`.

    - `identifiers`: each with the time when it was added
    - `actor`: who asked for it
    """

    id: UUID
    created_at: datetime
    identifiers: Mapping[NormalizedIdentifier, datetime]
    traits: Mapping[TraitName, TraitValue]
    actor: Actor | None = None


def newcomers(
    settings: IdentityResolutionSettings,
    requests: Mapping[int, Collection[NormalizedIdentifier]],
    stored: Iterable[Profile],
) -> set[int]:
    """Return the numbers of the requests of whose identifiers nobody else has any.

    `requests` holds the identifiers of each request, with their earlier forms; `stored` are the profiles that may hold
    any of them. Who else has a value that neither matches nor is unique makes no difference.
    """
    identifying_types = settings.identifying_types
    taken = {identifier for profile in stored for identifier in profile.identifiers}
    first_with: dict[NormalizedIdentifier, int] = {}
    known: set[int] = set()
    for number, identifiers in requests.items():
        for identifier in identifiers:
            if identifier.id_type in identifying_types:
                first = first_with.setdefault(identifier, number)
                if first != number:
                    known |= {first, number}
                elif identifier in taken:
                    known.add(number)
    return requests.keys() - known


def new_profile(
    settings: IdentityResolutionSettings,
    change: Change,
    requested_at: datetime,
    new_id: Callable[[], UUID],
    actor: Actor | None = None,
) -> NewProfile | None:
    """Return what a newcomer's change makes, as if it were resolved and combined with nobody.

    Return None if a limit does not let in all of its identifiers: that is an event of its own.
    """
    traits = {name: value for name, value in change.traits.items() if value is not None}
    identifiers = times_of(change.incoming, requested_at)
    if len({identifier.id_type for identifier in identifiers}) == len(identifiers):  # no limit is less than one
        return NewProfile(new_id(), requested_at, identifiers, traits, actor)
    if len(retained(settings, identifiers, change.incoming)) < len(identifiers):
        return None
    return NewProfile(new_id(), requested_at, identifiers, traits, actor)
