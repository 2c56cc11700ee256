"""The lock on a store's rules: shared by writes of profiles, exclusive for changes of the rules or of the store.

It is taken before any other lock of the store (docs/decisions/0003-resolution-under-races.md), and held until the
transaction ends.
"""

from hashlib import blake2b
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.citus.statements import in_store
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_cache import StoreRules


def store_key(store_id: UUID) -> int:
    """Return the key of the advisory lock, a signed 64-bit number."""
    return int.from_bytes(blake2b(store_id.bytes, digest_size=8).digest(), signed=True)


async def share_rules(connection: AsyncConnection, account_id: UUID, store_id: UUID) -> StoreRules:
    """Let nobody change the rules until the transaction ends, as every write does, and return the store.

    Raises `StoreNotFound` if the store was deleted meanwhile.
    """
    await share_rules_lock(connection, store_id)
    return await rules_in_force(connection, account_id, store_id)


async def share_rules_lock(connection: AsyncConnection, store_id: UUID) -> None:
    """Let nobody change the rules until the transaction ends."""
    await connection.execute(_SHARE, {"store_id": store_id, "key": store_key(store_id)})


async def lock_rules(connection: AsyncConnection, account_id: UUID, store_id: UUID) -> StoreRules:
    """Wait for the writes under way, let no other begin, and return the store as it is then.

    Raises `StoreNotFound` if the store was deleted meanwhile, and `Unavailable` if the writes take too long.
    """
    await connection.execute(_LOCK, {"store_id": store_id, "key": store_key(store_id)})
    return await rules_in_force(connection, account_id, store_id)


# The functions of locks return nothing, which no column of a function on Citus may have as its type.
_SHARE = in_store(
    "share_rules",
    "select cast(pg_advisory_xact_lock_shared(:key) as text) as locked where cast(:store_id as uuid) is not null",
)
_LOCK = in_store(
    "lock_rules", "select cast(pg_advisory_xact_lock(:key) as text) as locked where cast(:store_id as uuid) is not null"
)
