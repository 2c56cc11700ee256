"""Operations in SQL: records of what a request did at once, and the queue of what workers do later."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, exists, func, insert, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.ids import new_id
from profile_lookup.database.tables import operation, operation_item, operation_piece

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """An operation that a worker has taken. `attempts` counts how often it was taken since it last made progress."""

    account_id: UUID
    id: UUID
    store_id: UUID
    kind: str
    input: Document
    progress: Document
    lease: UUID
    attempts: int


async def record_completed(
    connection: AsyncConnection, account_id: UUID, store_id: UUID, *, kind: str, result_id: str
) -> UUID:
    """Record what this very transaction does, as a completed operation that clients can fetch. Return its ID."""
    return await _insert(
        connection, account_id, store_id, kind, {}, "COMPLETED", result_id=result_id, completed_at=CLOCK.now()
    )


async def enqueue(
    connection: AsyncConnection,
    account_id: UUID,
    store_id: UUID,
    *,
    kind: str,
    job_input: Document,
    created_at: datetime | None = None,
    waits_until: datetime | None = None,
) -> UUID:
    """Enqueue what a worker is to do once this transaction is committed, and return the operation's ID.

    `job_input` must contain no identifier's value. Without `created_at`, it is now. With `waits_until`, no worker takes
    the operation before `mark_ready` or that time; at that time the handler has to check what is missing.
    """
    return await _insert(
        connection, account_id, store_id, kind, job_input, "PENDING", created_at=created_at, leased_until=waits_until
    )


async def mark_ready(connection: AsyncConnection, account_id: UUID, operation_id: UUID) -> bool:
    """Let workers take an operation, since what it waits for has arrived.

    Return False if it does not wait, because the time is up or it was marked before.
    """
    updated = await connection.execute(
        update(operation)
        .where(
            operation.c.account_id == account_id,
            operation.c.id == operation_id,
            operation.c.status == "PENDING",
            operation.c.leased_until > func.clock_timestamp(),
        )
        .values(leased_until=None)
    )
    return updated.rowcount == 1


async def _insert(
    connection: AsyncConnection,
    account_id: UUID,
    store_id: UUID,
    kind: str,
    job_input: Document,
    status: str,
    *,
    created_at: datetime | None = None,
    **more: object,
) -> UUID:
    operation_id = new_id()
    await connection.execute(
        insert(operation).values(
            account_id=account_id,
            id=operation_id,
            store_id=store_id,
            kind=kind,
            status=status,
            input=job_input,
            progress={},
            attempts=0,
            created_at=created_at or CLOCK.now(),
            **more,
        )
    )
    return operation_id


async def find(connection: AsyncConnection, account_id: UUID, operation_id: UUID) -> Row[Any] | None:
    """Return the operation's row, with `has_items`: whether it is, or was, done item by item."""
    items = exists().where(operation_item.c.account_id == account_id, operation_item.c.operation_id == operation_id)
    query = select(operation, items.label("has_items")).where(
        operation.c.account_id == account_id, operation.c.id == operation_id
    )
    return (await connection.execute(query)).one_or_none()


async def unfinished_inputs(connection: AsyncConnection, store_id: UUID, kind: str) -> list[Document]:
    """Return the inputs of a store's operations of this kind that have not ended."""
    query = select(operation.c.input).where(
        operation.c.completed_at.is_(None), operation.c.store_id == store_id, operation.c.kind == kind
    )
    return list((await connection.execute(query)).scalars())


async def take(
    connection: AsyncConnection,
    kinds: Collection[str],
    lease: UUID,
    lease_time: timedelta,
    *,
    independent: Collection[str] = (),
) -> Taken | None:
    """Lease the next operation of these kinds that may run and that nobody works on, and return it.

    The operations of one store are sequential. Those of an `independent` kind wait for earlier ones of their own kind
    only, and no other kind waits for them.
    """
    parameters = {"kinds": list(kinds), "independent": list(independent), "lease": lease, "lease_time": lease_time}
    row = (await connection.execute(_TAKE, parameters)).one_or_none()
    return None if row is None else Taken(**row._asdict(), lease=lease)


# An operation waits for the earlier ones of its sequence, except for those that are not ready yet, and for the one that
# is being worked on, which may be a later one that was ready sooner. Each unfinished operation is read only once.
_TAKE = text("""
    with sequences as materialized (
        select
            account_id, id,
            count(*) filter (where status = 'RUNNING' or leased_until is null or leased_until < clock_timestamp())
                over (sequence order by id rows between unbounded preceding and 1 preceding) as earlier,
            count(*) filter (where lease is not null and leased_until > clock_timestamp()) over sequence as running
        from operation
        where completed_at is null
        window sequence as (partition by store_id, case when kind = any (cast(:independent as text[])) then kind end)
    )
    update operation
    set status = 'RUNNING',
        lease = :lease,
        leased_until = clock_timestamp() + cast(:lease_time as interval),
        attempts = attempts + 1
    where (account_id, id) = (
        select waiting.account_id, waiting.id
        from operation waiting
        join sequences using (account_id, id)
        where waiting.completed_at is null
            and waiting.kind = any (cast(:kinds as text[]))
            and (waiting.leased_until is null or waiting.leased_until < clock_timestamp())
            and sequences.earlier = 0
            and sequences.running = 0
        order by waiting.id
        limit 1
        for update of waiting skip locked
    )
    returning account_id, id, store_id, kind, input, progress, attempts
""")


async def renew(connection: AsyncConnection, taken: Taken, lease_time: timedelta) -> bool:
    """Renew the lease, and return whether it was still ours.

    If so, the operation's row is locked until the transaction ends, and no other worker can take it.
    """
    renewed = await connection.execute(
        update(operation)
        .where(operation.c.account_id == taken.account_id, operation.c.id == taken.id, operation.c.lease == taken.lease)
        .values(leased_until=func.clock_timestamp() + lease_time)
    )
    return renewed.rowcount == 1


async def save_progress(connection: AsyncConnection, taken: Taken, progress: Document) -> None:
    await _update(connection, taken, progress=progress, attempts=0)


async def complete(connection: AsyncConnection, taken: Taken, result_id: str) -> None:
    await _end(connection, taken, status="COMPLETED", result_id=result_id)


async def fail(connection: AsyncConnection, taken: Taken, error_code: int, error_detail: str) -> None:
    await _end(connection, taken, status="FAILED", error_code=error_code, error_detail=error_detail)


async def _end(connection: AsyncConnection, taken: Taken, **values: object) -> None:
    """End the operation, and delete the inputs that are left, since they may hold personal data."""
    await connection.execute(text("set local statement_timeout = 0"))  # there may be gigabytes of input
    await _update(connection, taken, completed_at=CLOCK.now(), lease=None, **values)
    await connection.execute(
        delete(operation_item).where(
            operation_item.c.account_id == taken.account_id,
            operation_item.c.operation_id == taken.id,
            operation_item.c.outcome.is_(None),
        )
    )
    await connection.execute(
        delete(operation_piece).where(
            operation_piece.c.account_id == taken.account_id, operation_piece.c.operation_id == taken.id
        )
    )


async def retry_later(connection: AsyncConnection, taken: Taken, wait: timedelta) -> None:
    """Let any worker take the operation again, after a while."""
    await _update(connection, taken, lease=None, leased_until=func.clock_timestamp() + wait)


async def release(connection: AsyncConnection, taken: Taken) -> None:
    """Let any worker take the operation at once. The attempt does not count, since nothing went wrong."""
    attempts = func.greatest(operation.c.attempts - 1, 0)
    await _update(connection, taken, attempts=attempts, lease=None, leased_until=func.clock_timestamp())


async def defer(connection: AsyncConnection, taken: Taken, wait: timedelta) -> None:
    """Let any worker take the operation after a while, as if it had not been taken: it is PENDING until then."""
    await _update(
        connection, taken, status="PENDING", attempts=0, lease=None, leased_until=func.clock_timestamp() + wait
    )  # fmt: skip


async def _update(connection: AsyncConnection, taken: Taken, **values: object) -> None:
    await connection.execute(
        update(operation)
        .where(operation.c.account_id == taken.account_id, operation.c.id == taken.id, operation.c.lease == taken.lease)
        .values(**values)
    )


async def remove_old(connection: AsyncConnection, kept_for: timedelta, batch_size: int = 100) -> None:
    """Delete the operations that ended longer ago than `kept_for`, with their items, in batches."""
    old = (
        select(operation.c.account_id, operation.c.id)
        .where(operation.c.completed_at < func.clock_timestamp() - kept_for)
        .limit(batch_size)
    )
    removal = delete(operation).where(tuple_(operation.c.account_id, operation.c.id).in_(old))
    while (await connection.execute(removal)).rowcount == batch_size:
        pass
