"""The profiles as they are while their locks are held: see `identity_locks.py`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.citus.statements import in_store
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


def locked_profile_of(row: Row[Any], groups: Mapping[str, TraitGroup]) -> Profile:
    """Return the profile of a row, with what else a write must know of it."""
    return Profile(
        row.profile_id,
        _identifiers_of(row),
        _traits_of(row, groups),
        _names_of(row),
        separations=NOT_SEPARATED if row.separations is None else separations_of(row.separations),
        creation=Creation(row.created_at, actor_of(row.created_by)) if row.is_as_created else None,
    )


def profile_of(row: Row[Any], groups: Mapping[str, TraitGroup]) -> Profile:
    """Return the profile of a row, without traits that are no longer defined: these must not survive a merge."""
    return Profile(row.profile_id, _identifiers_of(row), _traits_of(row, groups))


def _identifiers_of(row: Row[Any]) -> dict[NormalizedIdentifier, datetime]:
    identifiers = zip(row.identifier_types or (), row.identifier_values or (), row.identifier_times or (), strict=True)
    return {NormalizedIdentifier(id_type, NormalizedValue(value)): added_at for id_type, value, added_at in identifiers}


def _names_of(row: Row[Any]) -> dict[NormalizedIdentifier, tuple[int, ...]]:
    """Return the counted names of those identifiers that have any, from PostgreSQL's text of arrays."""
    if row.identifier_names is None:
        return {}
    identifiers = zip(row.identifier_types, row.identifier_values, row.identifier_names, strict=True)
    return {
        NormalizedIdentifier(id_type, NormalizedValue(value)): tuple(map(int, names.strip("{}").split(",")))
        for id_type, value, names in identifiers
        if names is not None
    }


def _traits_of(row: Row[Any], groups: Mapping[str, TraitGroup]) -> dict[TraitName, Trait]:
    return defined_traits(groups, parsed_traits(row.traits, row.created_at))


def defined_traits(groups: Mapping[str, TraitGroup], traits: Mapping[TraitName, Trait]) -> dict[TraitName, Trait]:
    """Keep only traits that a trait group still defines."""
    return {name: trait for name, trait in traits.items() if is_defined(groups, name)}


def is_defined(groups: Mapping[str, TraitGroup], name: TraitName) -> bool:
    return name.group in groups and name.name in groups[name.group].traits


_PROFILES = in_store(
    "locked_profiles",
    """
    select
        sought.id as profile_id, described.*, held.types as identifier_types, held.vals as identifier_values,
        held.times as identifier_times, held.names as identifier_names
    from unnest(cast(:profile_ids as uuid[])) as sought (id)
    cross join lateral (
        select
            p.traits, p.created_at, p.creation_number is not null as is_as_created, p.created_by,
            case when p.is_separated then separations_of(:store_id, p.id) end as separations
        from profile p where p.store_id = :store_id and p.id = sought.id
        offset 0
    ) described
    cross join lateral (
        select
            array_agg(i.id_type) as types, array_agg(i.value) as vals, array_agg(i.added_at) as times,
            case when bool_or(i.names is not null) then array_agg(cast(i.names as text)) end as names
        from identifier i where i.store_id is not distinct from :store_id and i.profile_id = sought.id
    ) held
""",
)
