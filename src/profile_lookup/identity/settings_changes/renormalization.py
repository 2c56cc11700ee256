"""Stored identifiers are normalized anew when rules change; profiles that then share values merge if they may."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from profile_lookup.identity.history.separations import NOT_SEPARATED, SeparationsOfIds, are_apart
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.merging import united_identifiers
from profile_lookup.identity.person_names import united
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.rules import IdentityResolutionSettings


def renormalized(settings: IdentityResolutionSettings, id_types: Collection[str], profile: Profile) -> Profile:
    """Return the profile with its identifiers of these types normalized anew, as `rewritten` does.

    Raises `ValueRefused`.
    """
    return rewritten(profile, forms_of(settings, id_types, profile))


def forms_of(
    settings: IdentityResolutionSettings, id_types: Collection[str], profile: Profile
) -> dict[NormalizedIdentifier, NormalizedIdentifier]:
    """Return the form of each of the profile's identifiers of these types. Raises `ValueRefused`."""
    return {
        each: settings.normalize(Identifier(each.id_type, each.value))
        for each in profile.identifiers
        if each.id_type in id_types
    }


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


class Holder(NamedTuple):
    """A profile, and since when it has had a value, in whatever form."""

    since: datetime
    profile_id: UUID


FormT = TypeVar("FormT")


@dataclass(frozen=True, slots=True)
class Collision(Generic[FormT]):
    """Several profiles have values of this type that get the same form. `holders` are in the order of time, then ID."""

    id_type: str
    form: FormT
    holders: Sequence[Holder]

    @property
    def profile_ids(self) -> list[UUID]:
        return [each.profile_id for each in self.holders]


def collisions_of(
    profiles: Iterable[Profile], forms: Mapping[NormalizedIdentifier, NormalizedIdentifier]
) -> list[Collision[NormalizedIdentifier]]:
    """Return the collisions of these profiles when their identifiers get these forms."""
    became = frozenset(forms.values())
    since: dict[NormalizedIdentifier, dict[UUID, datetime]] = {}
    for profile in profiles:
        for form, at in rewritten(profile, forms).identifiers.items():
            if form in became:
                since.setdefault(form, {})[profile.id] = at
    return [
        Collision(form.id_type, form, sorted(Holder(at, profile_id) for profile_id, at in holders.items()))
        for form, holders in since.items()
        if len(holders) > 1
    ]


def lost_values(
    matching_rules: Sequence[str],
    collisions: Iterable[Collision[FormT]],
    separations: Mapping[UUID, SeparationsOfIds],
) -> list[Collision[FormT]]:
    """Return the collisions by which holders lose the value, each with these holders alone.

    A value stays with the holder that had it first. Each further one becomes one person with it, unless the two, with
    all whom other values have made one with them, are kept apart: then the further one loses the value. Collisions are
    resolved in the order of the rules, then of their holders.
    """
    groups, apart = _Groups(), dict(separations)

    def joins(one: UUID, other: UUID) -> bool:
        one, other = groups.root(one), groups.root(other)
        if one != other:
            separations_of_both = apart.get(one, NOT_SEPARATED), apart.get(other, NOT_SEPARATED)
            if are_apart(*separations_of_both):
                return False
            groups.unite(one, other)
            apart[groups.root(one)] = frozenset().union(*separations_of_both)
        return True

    lost = []
    for each in sorted(collisions, key=lambda each: (matching_rules.index(each.id_type), *each.holders)):
        first, *others = each.holders
        if losers := [other for other in others if not joins(first.profile_id, other.profile_id)]:
            lost.append(replace(each, holders=losers))
    return lost


def forms_by_holder(collisions: Iterable[Collision[FormT]]) -> dict[UUID, set[FormT]]:
    forms: dict[UUID, set[FormT]] = {}
    for each in collisions:
        for profile_id in each.profile_ids:
            forms.setdefault(profile_id, set()).add(each.form)
    return forms


def without_lost(collisions: Iterable[Collision[FormT]], lost: Iterable[Collision[FormT]]) -> list[Collision[FormT]]:
    """Return the collisions that are left once holders have lost their values."""
    losers = {(each.id_type, each.form): set(each.holders) for each in lost}
    left = (
        replace(each, holders=[one for one in each.holders if one not in losers.get((each.id_type, each.form), ())])
        for each in collisions
    )
    return [each for each in left if len(each.holders) > 1]


def one_person_each(collisions: Iterable[Iterable[UUID]]) -> list[list[UUID]]:
    """Return the connected groups: profiles that share a value, directly or through others, are one person."""
    groups = _Groups()
    for collision in collisions:
        first, *others = collision
        for other in others:
            groups.unite(first, other)
    return groups.all()


def collision_rules(matching_rules: Sequence[str], collisions: Collection[Collision[FormT]]) -> dict[UUID, str]:
    """Return the rule that merges each profile: the first one by whose type it shares a value."""
    return {
        profile_id: each.id_type
        for each in sorted(collisions, key=lambda each: matching_rules.index(each.id_type), reverse=True)
        for profile_id in each.profile_ids
    }


class _Groups:
    """Groups of profiles, which can be united: a disjoint-set forest."""

    def __init__(self) -> None:
        self._parent: dict[UUID, UUID] = {}

    def root(self, profile_id: UUID) -> UUID:
        """Return the profile that stands for the group of this one."""
        parent = self._parent
        while (above := parent.setdefault(profile_id, profile_id)) != profile_id:
            parent[profile_id] = profile_id = parent[above]  # halves the path for the next one
        return profile_id

    def unite(self, one: UUID, other: UUID) -> None:
        one_root, other_root = self.root(one), self.root(other)
        self._parent[other_root] = one_root

    def all(self) -> list[list[UUID]]:
        groups: dict[UUID, list[UUID]] = {}
        for profile_id in self._parent:
            groups.setdefault(self.root(profile_id), []).append(profile_id)
        return list(groups.values())
