"""Limits how many operations may be unfinished, so that no tenant fills the queue and the database.

Only clients' requests are limited. What the service enqueues for itself, the erasure of a store, and an import whose
file has arrived enter the queue in any case. Imports that wait for their file are not in the queue, and have a quota of
their own. See docs/decisions/0037-quotas-of-operations.md.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.errors import TooManyOperations


@dataclass(frozen=True, slots=True)
class Quotas:
    """How many operations a store and an account may have in the queue, and how many imports of a store may wait."""

    queued_per_store: int
    queued_per_account: int
    waiting_per_store: int


async def refuse_beyond_queue_quota(
    connection: AsyncConnection, account_id: UUID, store_id: UUID, quotas: Quotas
) -> None:
    """Raise `TooManyOperations` if the store or its account may not enqueue another operation now.

    Until the transaction ends, nobody else enqueues one by a request in this account, so the quota is exact.
    """
    await connection.execute(_LOCK_ACCOUNT, {"account_id": account_id})
    parameters = {
        "account_id": account_id,
        "store_id": store_id,
        "per_store": quotas.queued_per_store,
        "per_account": quotas.queued_per_account,
    }
    queued = (await connection.execute(_COUNT_QUEUED, parameters)).one()
    if queued.of_store >= quotas.queued_per_store:
        raise TooManyOperations("store", "unfinished operations", quotas.queued_per_store)
    if queued.of_account >= quotas.queued_per_account:
        raise TooManyOperations("account", "unfinished operations", quotas.queued_per_account)


async def refuse_beyond_waiting_quota(connection: AsyncConnection, store_id: UUID, quotas: Quotas) -> None:
    """Raise `TooManyOperations` if the store may not have another import that waits for its file.

    Until the transaction ends, nobody else creates one by a request in this store, so the quota is exact.
    """
    await connection.execute(_LOCK_STORE, {"store_id": store_id})
    waiting = await connection.scalar(_COUNT_WAITING, {"store_id": store_id, "limit": quotas.waiting_per_store})
    if waiting == quotas.waiting_per_store:
        raise TooManyOperations("store", "imports that wait for their file", quotas.waiting_per_store)


# The first number says what is counted; the locks of large writes (database/identity_locks.sql) have larger ones.
# On Citus, each node has locks of its own: these are taken where the operations are, because the query reads of them.
_WHERE_OPERATIONS_ARE = """
    from (select exists (select from operation) as is_known offset 0) operations
    where operations.is_known is not null
"""
_LOCK_ACCOUNT = text(
    f"select pg_advisory_xact_lock(1, hashtext(cast(cast(:account_id as uuid) as text))) {_WHERE_OPERATIONS_ARE}"
)
_LOCK_STORE = text(
    f"select pg_advisory_xact_lock(2, hashtext(cast(cast(:store_id as uuid) as text))) {_WHERE_OPERATIONS_ARE}"
)

# Both count within `operation_queued_idx`, and no further than the quota, however many operations there are.
_COUNT_QUEUED = text("""
    select
        (
            select count(*)
            from (
                select from operation
                where store_id = :store_id and completed_at is null and waits_until is null
                limit :per_store
            ) queued
        ) as of_store,
        (
            select count(*)
            from (
                select from store s
                cross join lateral (
                    select from operation o
                    where o.store_id = s.id and o.completed_at is null and o.waits_until is null
                    limit :per_account
                ) queued
                where s.account_id = :account_id
                limit :per_account
            ) queued
        ) as of_account
""")

_COUNT_WAITING = text("""
    select count(*)
    from (
        select from operation
        where store_id = :store_id and completed_at is null and waits_until is not null
        limit :limit
    ) waiting
""")
