"""Counts the identifiers of the few profiles that have very many of them: they may be several people.

The writes keep the counts up to date, so that nobody has to count them all. See docs/decisions/0045-suspects.md.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.citus.statements import in_store
from profile_lookup.identity.difference import MANY_IDENTIFIERS


async def count_identifiers(connection: AsyncConnection, store_id: UUID, profile_ids: Collection[UUID]) -> None:
    """Count the identifiers of these profiles anew, if there are any. Their rows are locked."""
    if profile_ids:
        parameters = {"store_id": store_id, "many": MANY_IDENTIFIERS, "people": list(profile_ids)}
        await connection.execute(_COUNT, parameters)


async def recount_identifiers(connection: AsyncConnection, store_id: UUID) -> None:
    """Count the identifiers of a store's large profiles anew.

    The caller holds the exclusive lock on the store's rules.
    """
    await connection.execute(_RECOUNT, {"store_id": store_id, "many": MANY_IDENTIFIERS})


def _count(people: str) -> str:
    return f"""
        with counted as materialized (
            select people.id, held.count
            from {people} as people (id)
            cross join lateral (
                select count(*) as count from identifier i
                where i.store_id is not distinct from :store_id and i.profile_id = people.id
                offset 0
            ) held
        ),
        no_longer_large as (
            delete from suspect
            using counted
            where suspect.store_id = :store_id and suspect.profile_id = counted.id
                and suspect.reason = 'manyIdentifiers' and counted.count < :many
        )
        insert into suspect (store_id, profile_id, reason, id_type, value_hash, severity)
        select :store_id, counted.id, 'manyIdentifiers', '', 0, counted.count from counted where counted.count >= :many
        on conflict on constraint suspect_pkey do update set severity = excluded.severity
        where suspect.severity <> excluded.severity
    """  # noqa: S608 -- made of the constants below


_COUNT = in_store("count_identifiers", _count("unnest(cast(:people as uuid[]))"))
_RECOUNT = in_store(
    "recount_identifiers",
    _count("(select profile_id from suspect where store_id = :store_id and reason = 'manyIdentifiers')"),
)
