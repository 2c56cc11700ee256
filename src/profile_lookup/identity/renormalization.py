"""Stored identifiers are normalized anew when a store's settings change; profiles that then share values are merged."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.merging import united_identifiers
from profile_lookup.identity.person_names import united
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.rules import IdentityResolutionSettings


def renormalized(settings: IdentityResolutionSettings, id_types: Collection[str], profile: Profile) -> Profile:
    """Return the profile with its identifiers of these types normalized anew, as `rewritten` does.

    Raises `ValueRefused`.
    """
    forms = {
        each: settings.normalize(Identifier(each.id_type, each.value))
        for each in profile.identifiers
        if each.id_type in id_types
    }
    return rewritten(profile, forms)


def rewritten(profile: Profile, forms: Mapping[NormalizedIdentifier, NormalizedIdentifier]) -> Profile:
    """Return the profile with the new form of each identifier that has one.

    Of identifiers that become equal, the earliest time stays, and their counted names unite.
    """
    if not profile.identifiers.keys() & forms.keys():
        return profile
    identifiers = united_identifiers(
        Profile(profile.id, {forms.get(each, each): at}, {}) for each, at in profile.identifiers.items()
    )
    names: dict[NormalizedIdentifier, tuple[int, ...]] = {}
    for each in sorted(profile.names, key=profile.identifiers.__getitem__):
        form = forms.get(each, each)
        names[form] = united(names.get(form, ()), profile.names[each])
    return replace(profile, identifiers=identifiers, names=names)


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
