"""The deletion of a store, and of an account with all its stores."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.administration import lock_account, mark_deleted
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


async def delete_account(connection: AsyncConnection, account_id: UUID) -> None:
    """Delete an account with its keys and stores. Operations erase what these held.

    Raises `Unavailable` if the writes under way take too long.
    """
    await lock_account(connection, account_id)
    for store in await queries.of_account(connection, account_id):
        await delete_store(connection, account_id, store.id)
    await mark_deleted(connection, account_id)
