"""Suspects in SQL: profiles that may be several people."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.keyset import Key
from profile_lookup.database.tables import suspect
from profile_lookup.stores.rules_cache import StoreRules

WORST_KEY = Key((suspect.c.severity, suspect.c.reason, suspect.c.profile_id, suspect.c.id_type, suspect.c.value_hash))


def suspects_of(store: StoreRules, profile_id: UUID | None = None) -> Select[Any]:
    """Return the query for a store's suspects, which is to be fetched page by page, or for why one profile is one."""
    query = select(*WORST_KEY.columns).where(suspect.c.store_id == store.id)
    return query if profile_id is None else query.where(suspect.c.profile_id == profile_id)


async def shared_values(connection: AsyncConnection, store: StoreRules, suspects: Sequence[Row[Any]]) -> dict[int, str]:
    """Return the values that these suspects share, by the place of the suspect."""
    shared = [(place, each) for place, each in enumerate(suspects) if each.id_type]
    parameters = {
        "store_id": store.id,
        "places": [place for place, _ in shared],
        "profile_ids": [each.profile_id for _, each in shared],
        "id_types": [each.id_type for _, each in shared],
        "value_hashes": [each.value_hash for _, each in shared],
    }
    return {row.place: row.value for row in await connection.execute(SHARED_VALUES, parameters)}


# The lateral subquery with its offset is one index probe per suspect, whatever the planner believes of the tables.
SHARED_VALUES = text("""
    select sought.place, shared.value
    from unnest(
        cast(:places as integer[]), cast(:profile_ids as uuid[]), cast(:id_types as text[]),
        cast(:value_hashes as bigint[])
    ) as sought (place, profile_id, id_type, value_hash)
    cross join lateral (
        select i.value from identifier i
        where i.store_id is not distinct from :store_id and i.profile_id = sought.profile_id
            and i.id_type = sought.id_type and hashtextextended(i.value, 0) = sought.value_hash
        offset 0
    ) shared
""")
