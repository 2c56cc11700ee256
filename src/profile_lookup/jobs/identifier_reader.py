"""Reads the identifiers of profiles, and what keeps them apart, without locking anything."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.citus.statements import in_store
from profile_lookup.database.documents import separations_of
from profile_lookup.identity.history.separations import SeparationsOfIds
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.values.normalization import NormalizedValue

Identifiers = dict[NormalizedIdentifier, datetime]
"""The identifiers of a profile, each with the time when it was added."""

People = dict[UUID, Identifiers]
"""Profiles with their identifiers."""


async def next_people(connection: AsyncConnection, store_id: UUID, after: UUID, limit: int) -> People:
    """Return the next profiles of a store in the order of their IDs, also those without identifiers."""
    parameters = {"store_id": store_id, "after": after, "limit": limit}
    return _people(await connection.execute(_NEXT_PEOPLE, parameters))


async def people_of(connection: AsyncConnection, store_id: UUID, profile_ids: Sequence[UUID]) -> People:
    """Return those of these profiles that have identifiers."""
    parameters = {"store_id": store_id, "profile_ids": profile_ids}
    return _people(await connection.execute(_PEOPLE, parameters))


async def separations_of_people(
    connection: AsyncConnection, store_id: UUID, profile_ids: Collection[UUID]
) -> dict[UUID, SeparationsOfIds]:
    """Return what keeps these profiles apart from others, of those that are kept apart from any."""
    parameters = {"store_id": store_id, "profile_ids": list(profile_ids)}
    rows = await connection.execute(_SEPARATIONS, parameters)
    return {row.id: separations_of(row.separations) for row in rows}


def _people(rows: Iterable[Any]) -> People:
    people: People = {}
    for row in rows:
        identifiers = people.setdefault(row.profile_id, {})
        if row.id_type is not None:
            identifiers[NormalizedIdentifier(row.id_type, NormalizedValue(row.value))] = row.added_at
    return people


# The lateral subqueries with their offset are one index probe per profile, whatever the planner believes of the tables.
_HELD = """
    lateral (
        select i.id_type, i.value, i.added_at from identifier i
        where i.store_id is not distinct from :store_id and i.profile_id = people.profile_id
        offset 0
    ) held
"""

_NEXT_PEOPLE = text(f"""
    with people as materialized (
        select id as profile_id from profile where store_id = :store_id and id > :after order by id limit :limit
    )
    select people.profile_id, held.*
    from people left join {_HELD} on true
    order by people.profile_id
""")  # noqa: S608 -- made of the constants above

_PEOPLE = text(f"""
    select people.profile_id, held.*
    from unnest(cast(:profile_ids as uuid[])) as people (profile_id) cross join {_HELD}
""")  # noqa: S608 -- made of the constants above

_SEPARATIONS = in_store(
    "separations_of_people",
    """
    select sought.id, described.separations
    from unnest(cast(:profile_ids as uuid[])) as sought (id)
    cross join lateral (
        select separations_of(:store_id, p.id) as separations from profile p
        where p.store_id = :store_id and p.id = sought.id and p.is_separated
        offset 0
    ) described
""",
)
