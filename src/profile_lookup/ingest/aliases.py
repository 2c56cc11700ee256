"""Aliases: the IDs of merged profiles, which lead to the canonical one."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.tables import alias
from profile_lookup.errors import ProfileMoved, ProfileNotFound
from profile_lookup.stores.rules_cache import StoreRules


async def moved_or_not_found(
    connection: AsyncConnection, store: StoreRules, profile_id: UUID
) -> ProfileMoved | ProfileNotFound:
    """Return the error for a profile that is not there: it was merged into another one, or it does not exist."""
    query = select(alias.c.profile_id).where(alias.c.store_id == store.id, alias.c.id == profile_id)
    canonical_id = await connection.scalar(query)
    return ProfileNotFound() if canonical_id is None else ProfileMoved(canonical_id)
