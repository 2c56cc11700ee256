"""Operations in SQL, as clients see them: what a request did at once, and what the queue does later."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, delete, exists, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.grants import Caller
from profile_lookup.clock import CLOCK
from profile_lookup.database.documents import Document
from profile_lookup.database.ids import new_id
from profile_lookup.database.keyset import Key
from profile_lookup.database.tables import operation, operation_item
from profile_lookup.errors import ScopeMissing
from profile_lookup.operations.kinds import kinds_of

OPERATIONS_KEY = Key((operation.c.id,))


async def record_completed(
    connection: AsyncConnection, account_id: UUID, store_id: UUID, *, kind: str, result_id: str
) -> UUID:
    """Record what this very transaction does, as a completed operation that clients can fetch. Return its ID."""
    operation_id, now = new_id(), CLOCK.now()
    await connection.execute(
        insert(operation).values(
            account_id=account_id,
            id=operation_id,
            store_id=store_id,
            kind=kind,
            status="COMPLETED",
            input={},
            progress={},
            result_id=result_id,
            attempts=0,
            created_at=now,
            completed_at=now,
        )
    )
    return operation_id


def operations_of(
    account_id: UUID, store_ids: Collection[UUID] | None = None, **filters: Collection[object] | None
) -> Select[Any]:
    """Return the query for an account's operations, or for those of these stores.

    Each filter names a column of `operation`, and the values that it may have; None allows all. Each row has
    `has_items`: whether the operation is, or was, done item by item.
    """
    items = exists().where(operation_item.c.account_id == account_id, operation_item.c.operation_id == operation.c.id)
    query = select(operation, items.label("has_items")).where(operation.c.account_id == account_id)
    allowed = {"store_id": store_ids, **filters}
    return query.where(*[operation.c[name].in_(each) for name, each in allowed.items() if each is not None])


def operations_seen_by(caller: Caller, store_id: UUID | None = None, status: str | None = None) -> Select[Any]:
    """Return the query for the operations that the caller could start, of one store or with one status if so wanted.

    Raises `ScopeMissing` if the caller can start none.
    """
    kinds = kinds_of(caller.grant.scopes)
    if not kinds:
        raise ScopeMissing("manage")
    store_ids = caller.grant.store_ids
    if store_id is not None:
        store_ids = frozenset({store_id}) if store_ids is None else store_ids & {store_id}
    return operations_of(caller.account_id, store_ids, kind=kinds, status=status and [status])


async def find(
    connection: AsyncConnection, account_id: UUID, operation_id: UUID, store_ids: Collection[UUID] | None = None
) -> Row[Any] | None:
    """Return the operation's row, as above; None if there is none, or if it is of no store in `store_ids`."""
    query = operations_of(account_id, store_ids, id=[operation_id])
    found: Row[Any] | None = (await connection.execute(query)).one_or_none()
    return found


async def unfinished_inputs(connection: AsyncConnection, store_id: UUID, kind: str) -> list[Document]:
    """Return the inputs of a store's operations of this kind that are in the queue."""
    query = select(operation.c.input).where(
        operation.c.completed_at.is_(None),
        operation.c.waits_until.is_(None),
        operation.c.store_id == store_id,
        operation.c.kind == kind,
    )
    return list((await connection.execute(query)).scalars())


async def remove_old(connection: AsyncConnection, kept_for: timedelta, batch_size: int = 100) -> None:
    """Delete the operations that ended longer ago than `kept_for`, with their items, in batches."""
    old = (
        select(operation.c.account_id, operation.c.id)
        .where(operation.c.completed_at < func.statement_timestamp() - kept_for)
        .limit(batch_size)
        .subquery("old")
    )
    removal = delete(operation).where(operation.c.account_id == old.c.account_id, operation.c.id == old.c.id)
    while (await connection.execute(removal)).rowcount == batch_size:
        pass
