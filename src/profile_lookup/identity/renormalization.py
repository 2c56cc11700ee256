"""Stored identifiers are normalized anew when a store's settings change; profiles that then share values are merged."""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.merging import united_identifiers
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.rules import IdentityResolutionSettings


def renormalized(settings: IdentityResolutionSettings, id_types: Collection[str], profile: Profile) -> Profile:
    """Return the profile with its identifiers of these types normalized anew.

    Of identifiers that become equal, the earliest time stays. Raises `ValueRefused`.
    """
    normalized = [
        (settings.normalize(Identifier(held.id_type, held.value)) if held.id_type in id_types else held, added_at)
        for held, added_at in profile.identifiers.items()
    ]
    united = united_identifiers(Profile(profile.id, {identifier: added_at}, {}) for identifier, added_at in normalized)
    return Profile(profile.id, united, profile.traits)


def one_person_each(collisions: Iterable[Iterable[UUID]]) -> list[list[UUID]]:
    """Return the connected groups: profiles that share a value, directly or through others, are one person."""
    parent: dict[UUID, UUID] = {}

    def root(profile_id: UUID) -> UUID:
        while (above := parent.setdefault(profile_id, profile_id)) != profile_id:
            parent[profile_id] = profile_id = parent[above]  # halves the path for the next one
        return profile_id

    for collision in collisions:
        first, *others = map(root, collision)
        for other in others:
            parent[root(other)] = root(first)
    groups: dict[UUID, list[UUID]] = {}
    for profile_id in parent:
        groups.setdefault(root(profile_id), []).append(profile_id)
    return list(groups.values())


def collision_rules(
    settings: IdentityResolutionSettings, collisions: Mapping[str, list[list[UUID]]]
) -> dict[UUID, str]:
    """Return the rule that merges each profile: the first one by whose type it shares a value."""
    return {
        profile_id: id_type
        for id_type in reversed(settings.matching_rules)
        for collision in collisions.get(id_type, ())
        for profile_id in collision
    }
