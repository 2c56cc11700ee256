"""Several profiles in SQL as people see them: with their traits and identifiers, and with whom they share values."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.ingest.locked_profiles import profile_of
from profile_lookup.stores.rules_cache import StoreRules

MAX_HOLDERS = 100
"""The most other holders of a value that are counted."""


class Sharing(NamedTuple):
    """Who else has a value: the first of them by ID, and whether there are more than these."""

    profile_ids: Sequence[UUID]
    has_more: bool


async def fetch_profiles(connection: AsyncConnection, store: StoreRules, profile_ids: Sequence[UUID]) -> list[Profile]:
    """Return the canonical profiles with these IDs that exist, in this order."""
    rows = await connection.execute(_PROFILES, {"store_id": store.id, "profile_ids": list(profile_ids)})
    return [profile_of(row, store.trait_groups) for row in rows]


async def shared_identifiers(
    connection: AsyncConnection, store: StoreRules, profile_id: UUID
) -> Mapping[NormalizedIdentifier, Sharing]:
    """Return those identifiers of a profile that other profiles have as well, with their other holders."""
    parameters = {"store_id": store.id, "profile_id": profile_id, "limit": MAX_HOLDERS + 1}
    return {
        NormalizedIdentifier(row.id_type, NormalizedValue(row.value)): Sharing(
            row.profile_ids[:MAX_HOLDERS], len(row.profile_ids) > MAX_HOLDERS
        )
        for row in await connection.execute(_SHARED, parameters)
    }


async def holders_of(
    connection: AsyncConnection, store: StoreRules, identifiers: Collection[NormalizedIdentifier]
) -> Sequence[UUID]:
    """Return the first profiles that have any of these identifiers, by ID, each once."""
    parameters = {
        "store_id": store.id,
        "id_types": [each.id_type for each in identifiers],
        "values": [each.value for each in identifiers],
        "limit": MAX_HOLDERS,
    }
    return (await connection.execute(_HOLDERS, parameters)).scalars().all()


_PROFILES = text("""
    select p.id as profile_id, p.created_at, p.traits, held.*
    from unnest(cast(:profile_ids as uuid[])) with ordinality as sought (id, place)
    join profile p on p.store_id = :store_id and p.id = sought.id
    cross join lateral (
        select
            array_agg(i.id_type) as identifier_types, array_agg(i.value) as identifier_values,
            array_agg(i.added_at) as identifier_times
        from identifier i where i.store_id is not distinct from p.store_id and i.profile_id = p.id
    ) held
    order by sought.place
""")

# Values that may be shared have `shared_by`, so a value that is unique costs no search.
_SHARED = text("""
    select own.id_type, own.value, others.profile_ids
    from identifier own
    cross join lateral (
        select array_agg(other.profile_id order by other.shared_by) as profile_ids
        from (
            select i.profile_id, i.shared_by from identifier i
            where i.store_id = :store_id and i.id_type = own.id_type and i.value = own.value
                and i.profile_id <> own.profile_id
            order by i.shared_by
            limit :limit
        ) other
    ) others
    where own.store_id is not distinct from :store_id and own.profile_id = :profile_id and own.shared_by <> ''
        and others.profile_ids is not null
""")

_HOLDERS = text("""
    select distinct held.profile_id
    from unnest(cast(:id_types as text[]), cast(:values as text[])) as sought (id_type, value)
    cross join lateral (
        select i.profile_id from identifier i
        where i.store_id = :store_id and i.id_type = sought.id_type and i.value = sought.value
        limit :limit
    ) held
    order by held.profile_id
""")
