"""The erasure of profiles, with everything that any table holds of them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def erase_profiles(connection: AsyncConnection, store_id: UUID, profile_ids: Sequence[UUID]) -> None:
    """Delete profiles with everything that any table holds of them: identifiers, traits, aliases and events."""
    await connection.execute(_ERASE, {"store_id": store_id, "profile_ids": profile_ids})


_ERASE = text("""
    with
    unidentified as (
        delete from identifier
        where store_id is not distinct from :store_id and profile_id = any (cast(:profile_ids as uuid[]))
    ),
    unaliased as (
        delete from alias where store_id = :store_id and profile_id = any (cast(:profile_ids as uuid[]))
        returning id
    ),
    unsuspected as (
        delete from suspect where store_id = :store_id and profile_id = any (cast(:profile_ids as uuid[]))
    ),
    -- An event has the profile that was canonical then, which may be an alias by now.
    unrecorded as (
        delete from event
        where store_id is not distinct from :store_id
            and profile_id = any (cast(:profile_ids as uuid[]) || array(select id from unaliased))
    ),
    unseparated as (
        delete from separation
        where store_id = :store_id and id = any (cast(:profile_ids as uuid[]) || array(select id from unaliased))
    )
    delete from profile where store_id = :store_id and id = any (cast(:profile_ids as uuid[]))
""")
