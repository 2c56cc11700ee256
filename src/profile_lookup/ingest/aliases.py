"""Where the ID of a profile that is not there leads to."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.tables import alias
from profile_lookup.errors import ProfileMoved, ProfileNotFound
from profile_lookup.stores.rules_cache import Store


async def whereabouts(connection: AsyncConnection, store: Store, profile_id: UUID) -> ProfileMoved | ProfileNotFound:
    """Return what became of a profile that is not there."""
    query = select(alias.c.profile_id).where(alias.c.store_id == store.id, alias.c.id == profile_id)
    canonical_id = await connection.scalar(query)
    return ProfileNotFound() if canonical_id is None else ProfileMoved(canonical_id)
