"""The profiles as they are while their locks are held: see `identity_locks.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import actor_of, parsed_traits, separations_of
from profile_lookup.identity.history.creation import Creation
from profile_lookup.identity.history.separations import NOT_SEPARATED
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.trait_definitions import TraitGroup
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.stores.rules_cache import StoreRules


async def profiles_with(connection: AsyncConnection, store: StoreRules, profile_ids: Sequence[UUID]) -> list[Profile]:
    """Return the profiles with these IDs that exist. The caller holds the locks of their rows."""
    rows = await connection.execute(_PROFILES, {"store_id": store.id, "profile_ids": profile_ids})
    return [locked_profile_of(row, store.trait_groups) for row in rows]


async def with_names(connection: AsyncConnection, store: StoreRules, profiles: Sequence[Profile]) -> list[Profile]:
    """Return locked profiles with the counted names of their identifiers."""
    parameters = {"store_id": store.id, "profile_ids": [profile.id for profile in profiles]}
    names: dict[UUID, dict[NormalizedIdentifier, tuple[int, ...]]] = {}
    for row in await connection.execute(_NAMES, parameters):
        identifier = NormalizedIdentifier(row.id_type, NormalizedValue(row.value))
        names.setdefault(row.profile_id, {})[identifier] = tuple(row.names)
    return [replace(each, names=names[each.id]) if each.id in names else each for each in profiles]


def locked_profile_of(row: Row[Any], groups: Mapping[str, TraitGroup]) -> Profile:
    """Return the profile of a row, with what else a write must know of it."""
    return Profile(
        row.profile_id,
        _identifiers_of(row),
        _traits_of(row, groups),
        separations=NOT_SEPARATED if row.separations is None else separations_of(row.separations),
        creation=Creation(row.created_at, actor_of(row.created_by)) if row.is_as_created else None,
    )


def profile_of(row: Row[Any], groups: Mapping[str, TraitGroup]) -> Profile:
    """Return the profile of a row, without traits that are no longer defined: these must not survive a merge."""
    return Profile(row.profile_id, _identifiers_of(row), _traits_of(row, groups))


def _identifiers_of(row: Row[Any]) -> dict[NormalizedIdentifier, datetime]:
    identifiers = zip(row.identifier_types or (), row.identifier_values or (), row.identifier_times or (), strict=True)
    return {NormalizedIdentifier(id_type, NormalizedValue(value)): added_at for id_type, value, added_at in identifiers}


def _traits_of(row: Row[Any], groups: Mapping[str, TraitGroup]) -> dict[TraitName, Trait]:
    return defined_traits(groups, parsed_traits(row.traits, row.created_at))


def defined_traits(groups: Mapping[str, TraitGroup], traits: Mapping[TraitName, Trait]) -> dict[TraitName, Trait]:
    """Keep only traits that a trait group still defines."""
    return {name: trait for name, trait in traits.items() if is_defined(groups, name)}


def is_defined(groups: Mapping[str, TraitGroup], name: TraitName) -> bool:
    return name.group in groups and name.name in groups[name.group].traits


_PROFILES = text("""
    select
        sought.id as profile_id, described.*, held.types as identifier_types, held.vals as identifier_values,
        held.times as identifier_times
    from unnest(cast(:profile_ids as uuid[])) as sought (id)
    cross join lateral (
        select
            p.traits, p.created_at, p.creation_number is not null as is_as_created, p.created_by,
            case when p.is_separated then separations_of(:store_id, p.id) end as separations
        from profile p where p.store_id = :store_id and p.id = sought.id
        offset 0
    ) described
    cross join lateral (
        select array_agg(i.id_type) as types, array_agg(i.value) as vals, array_agg(i.added_at) as times
        from identifier i where i.store_id is not distinct from :store_id and i.profile_id = sought.id
    ) held
""")

# The lateral subquery with its offset is one index probe per profile, whatever the planner believes of the tables.
_NAMES = text("""
    select known.*
    from unnest(cast(:profile_ids as uuid[])) as sought (profile_id)
    cross join lateral (
        select i.profile_id, i.id_type, i.value, i.names from identifier i
        where i.store_id is not distinct from :store_id and i.profile_id = sought.profile_id and i.names is not null
        offset 0
    ) known
""")
