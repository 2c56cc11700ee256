"""The deletion of a store."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queue import enqueue
from profile_lookup.stores import queries
from profile_lookup.stores.rules_lock import lock_rules


async def delete_store(connection: AsyncConnection, account_id: UUID, store_id: UUID) -> UUID:
    """Delete a store, and return the ID of the operation that erases what it held.

    Raises `StoreNotFound`, and `Unavailable` if the writes under way take too long.
    """
    await lock_rules(connection, account_id, store_id)
    await queries.remove(connection, account_id, store_id)
    return await enqueue(connection, account_id, store_id, kind=OperationKind.ERASE_STORE, job_input={})
