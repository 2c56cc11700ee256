"""The lock on a store's rules: shared by all writes of profiles, exclusive for who changes the rules or the store.

Taken before any other lock of the store (docs/decisions/0003-resolution-under-races.md), until the transaction ends.
"""

from hashlib import blake2b
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.stores.admission import in_force
from profile_lookup.stores.rules_cache import Store


def store_key(store_id: UUID) -> int:
    """The key of the advisory lock: signed, of 64 bits."""
    return int.from_bytes(blake2b(store_id.bytes, digest_size=8).digest(), signed=True)


async def lock_rules(connection: AsyncConnection, account_id: UUID, store_id: UUID) -> Store:
    """Wait for the writes under way, let none begin, and give the store as it is then.

    Raises `StoreNotFound` if it is gone meanwhile; `Unavailable` if the writes take too long.
    """
    await connection.execute(select(func.pg_advisory_xact_lock(store_key(store_id))))
    return await in_force(connection, account_id, store_id)
