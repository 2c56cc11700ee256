"""The profiles on which the resolution of a request can depend, among all that share an identifier with it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from uuid import UUID

from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.rules import IdentityResolutionSettings


def deciding_profiles(
    settings: IdentityResolutionSettings,
    holders: Mapping[NormalizedIdentifier, AbstractSet[UUID]],
    incoming: Collection[NormalizedIdentifier],
    known: UUID | None,
) -> set[UUID]:
    """Return the profiles on which the resolution can depend. `holders` maps each identifier to those that have it.

    Thousands of profiles may share a value that is not unique. Two of those that match by this value alone give
    the same resolution as all of them, because several weak matches name nobody.
    """
    named = set() if known is None else {known}
    shared = []
    for identifier in incoming:
        held_by = holders.get(identifier)
        if not held_by:
            continue
        if settings.is_unique(identifier.id_type):
            named |= held_by
        elif identifier.id_type in settings.matching_rules:
            shared.append(held_by)
    if shared:
        named |= _in_several(shared)
        named |= set(islice(_outside(named, shared), 2))
    return named


def _in_several(sets: Iterable[AbstractSet[UUID]]) -> set[UUID]:
    """Return the IDs that are in at least two of the sets, without iterating over the largest one."""
    *smaller, largest = sorted(sets, key=len)
    seen: set[UUID] = set()
    several: set[UUID] = set()
    for each in smaller:
        several |= seen & each
        seen |= each
    return several | (seen & largest)


def _outside(named: AbstractSet[UUID], sets: Iterable[AbstractSet[UUID]]) -> Iterator[UUID]:
    return (profile_id for each in sets for profile_id in each if profile_id not in named)
