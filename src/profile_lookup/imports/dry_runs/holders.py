"""Finds who would hold identifiers after the rows that a dry run has gone through."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.driver import is_distributed
from profile_lookup.identity.identifier import NormalizedIdentifier


async def holders_of(
    connection: AsyncConnection,
    store_id: UUID,
    identifiers: Sequence[NormalizedIdentifier],
    limit: int | None = None,
    besides: Collection[UUID] = (),
) -> dict[NormalizedIdentifier, list[UUID]]:
    """Return the holders of each identifier: all, or the first ones that are none of `besides`."""
    holders: dict[NormalizedIdentifier, list[UUID]] = defaultdict(list)
    if identifiers:
        parameters = {
            "store_id": store_id,
            "id_types": [each.id_type for each in identifiers],
            "values": [each.value for each in identifiers],
            "limit": limit,
            "besides": list(besides),
        }
        for row in await _rows(connection, parameters):
            holders[identifiers[row.place - 1]].append(row.profile_id)
    return {identifier: found[:limit] for identifier, found in holders.items()}


async def _rows(connection: AsyncConnection, parameters: Mapping[str, Any]) -> Iterable[Row[Any]]:
    if await is_distributed(connection):
        return await _rows_of_nodes(connection, parameters)
    return await connection.execute(_HOLDERS, parameters)


async def _rows_of_nodes(connection: AsyncConnection, parameters: Mapping[str, Any]) -> Iterable[Row[Any]]:
    """Return what `_HOLDERS` returns, and more than the limit if rows have added holders.

    The temporary tables are on the node to which we are connected, and the identifiers on that of the store.
    """
    changed = (await connection.execute(_CHANGED, parameters)).all()
    removed = [row for row in changed if not row.is_added]
    besides = {
        "removed_places": [row.place for row in removed],
        "removed_profiles": [row.profile_id for row in removed],
    }
    stored = await connection.execute(_STORED, {**parameters, **besides})
    return [*stored, *(row for row in changed if row.is_added)]


# As in `identity_locks.sql`, each lateral subquery with its offset is one probe, whatever the planner believes.
_HOLDERS = text("""
    select wanted.place, held.profile_id
    from unnest(cast(:id_types as text[]), cast(:values as text[])) with ordinality as wanted (id_type, value, place)
    cross join lateral (
        select visible.profile_id
        from (
            (
                select i.profile_id from identifier i
                where i.store_id = :store_id and i.id_type = wanted.id_type and i.value = wanted.value
                    and not exists (
                        select from dry_run_removed r
                        where r.value = i.value and r.id_type = i.id_type and r.profile_id = i.profile_id
                        offset 0
                    )
                offset 0
            )
            union all
            (
                select a.profile_id from dry_run_added a
                where a.value = wanted.value and a.id_type = wanted.id_type
                offset 0
            )
        ) as visible
        where visible.profile_id <> all (cast(:besides as uuid[]))
        limit :limit
    ) held
""")

_CHANGED = text("""
    select wanted.place, changed.profile_id, changed.is_added
    from unnest(cast(:id_types as text[]), cast(:values as text[])) with ordinality as wanted (id_type, value, place)
    cross join lateral (
        (
            select a.profile_id, true as is_added from dry_run_added a
            where a.value = wanted.value and a.id_type = wanted.id_type
                and a.profile_id <> all (cast(:besides as uuid[]))
            limit :limit
        )
        union all
        (
            select r.profile_id, false from dry_run_removed r
            where r.value = wanted.value and r.id_type = wanted.id_type
            offset 0
        )
    ) changed
""")

_STORED = text("""
    select wanted.place, held.profile_id
    from unnest(cast(:id_types as text[]), cast(:values as text[])) with ordinality as wanted (id_type, value, place)
    cross join lateral (
        select i.profile_id from identifier i
        where i.store_id = :store_id and i.id_type = wanted.id_type and i.value = wanted.value
            and i.profile_id <> all (cast(:besides as uuid[]))
            and not exists (
                select from unnest(cast(:removed_places as bigint[]), cast(:removed_profiles as uuid[]))
                    as removed (place, profile_id)
                where removed.place = wanted.place and removed.profile_id = i.profile_id
            )
        limit :limit
    ) held
""")
