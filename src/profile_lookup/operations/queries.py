"""Operations in SQL: what was done at once, what is to be done, and who does it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, exists, func, insert, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.ids import new_id
from profile_lookup.database.tables import operation, operation_item, operation_piece

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """An operation that a worker has taken up. `attempts` counts how often, since it last made progress."""

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
    """What was done within this very transaction, as an operation that a client can ask after."""
    return await _insert(
        connection, account_id, store_id, kind, {}, "COMPLETED", result_id=result_id, completed_at=datetime.now(UTC)
    )


async def enqueue(
    connection: AsyncConnection,
    account_id: UUID,
    store_id: UUID,
    *,
    kind: str,
    to_do: Document,
    created_at: datetime | None = None,
    waits_until: datetime | None = None,
) -> UUID:
    """What a worker is to do once this transaction is committed. `to_do` must hold no identifier's value.

    `created_at` is now, unless it is told. With `waits_until`, not before it is `ready`, at the latest then: it is for
    the handler to see what is missing.
    """
    return await _insert(
        connection, account_id, store_id, kind, to_do, "PENDING", created_at=created_at, leased_until=waits_until
    )


async def ready(connection: AsyncConnection, account_id: UUID, operation_id: UUID) -> bool:
    """What it waited for is there. False if it does not wait, because the time is up or this was said before."""
    told = await connection.execute(
        update(operation)
        .where(
            operation.c.account_id == account_id,
            operation.c.id == operation_id,
            operation.c.status == "PENDING",
            operation.c.leased_until > func.clock_timestamp(),
        )
        .values(leased_until=None)
    )
    return told.rowcount == 1


async def _insert(
    connection: AsyncConnection,
    account_id: UUID,
    store_id: UUID,
    kind: str,
    to_do: Document,
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
            input=to_do,
            progress={},
            attempts=0,
            created_at=created_at or datetime.now(UTC),
            **more,
        )
    )
    return operation_id


async def find(connection: AsyncConnection, account_id: UUID, operation_id: UUID) -> Row[Any] | None:
    """With `has_items`: whether it is, or was, done one by one."""
    items = exists().where(operation_item.c.account_id == account_id, operation_item.c.operation_id == operation_id)
    question = select(operation, items.label("has_items")).where(
        operation.c.account_id == account_id, operation.c.id == operation_id
    )
    return (await connection.execute(question)).one_or_none()


async def unfinished_inputs(connection: AsyncConnection, store_id: UUID, kind: str) -> list[Document]:
    """What is still to be done of this kind in a store."""
    question = select(operation.c.input).where(
        operation.c.completed_at.is_(None), operation.c.store_id == store_id, operation.c.kind == kind
    )
    return list((await connection.execute(question)).scalars())


async def take(
    connection: AsyncConnection,
    kinds: Collection[str],
    lease: UUID,
    lease_time: timedelta,
    *,
    apart: Collection[str] = (),
) -> Taken | None:
    """The next operation of these kinds that nobody works on and whose turn it is, now ours.

    Those of one store are done in turn, except for the kinds `apart`: each of these has a turn of its own.
    """
    parameters = {"kinds": list(kinds), "apart": list(apart), "lease": lease, "lease_time": lease_time}
    row = (await connection.execute(_TAKE, parameters)).one_or_none()
    return None if row is None else Taken(**row._asdict(), lease=lease)


# Before an operation are the earlier ones of its turn, but for those that wait until they are ready, and the one being
# worked on, which may be a later one: it was ready sooner. All are gone through once, however many are unfinished.
_TAKE = text("""
    with turns as materialized (
        select
            account_id, id,
            count(*) filter (where status = 'RUNNING' or leased_until is null or leased_until < clock_timestamp())
                over (turn order by id rows between unbounded preceding and 1 preceding) as before,
            count(*) filter (where lease is not null and leased_until > clock_timestamp()) over turn as at_work
        from operation
        where completed_at is null
        window turn as (partition by store_id, case when kind = any (cast(:apart as text[])) then kind end)
    )
    update operation
    set status = 'RUNNING',
        lease = :lease,
        leased_until = clock_timestamp() + cast(:lease_time as interval),
        attempts = attempts + 1
    where (account_id, id) = (
        select waiting.account_id, waiting.id
        from operation waiting
        join turns using (account_id, id)
        where waiting.completed_at is null
            and waiting.kind = any (cast(:kinds as text[]))
            and (waiting.leased_until is null or waiting.leased_until < clock_timestamp())
            and turns.before = 0
            and turns.at_work = 0
        order by waiting.id
        limit 1
        for update of waiting skip locked
    )
    returning account_id, id, store_id, kind, input, progress, attempts
""")


async def renew(connection: AsyncConnection, taken: Taken, lease_time: timedelta) -> bool:
    """Whether it is still ours; then its row is locked until the transaction ends, and nobody can take it."""
    renewed = await connection.execute(
        update(operation)
        .where(operation.c.account_id == taken.account_id, operation.c.id == taken.id, operation.c.lease == taken.lease)
        .values(leased_until=func.clock_timestamp() + lease_time)
    )
    return renewed.rowcount == 1


async def save_progress(connection: AsyncConnection, taken: Taken, progress: Document) -> None:
    await _set(connection, taken, progress=progress, attempts=0)


async def complete(connection: AsyncConnection, taken: Taken, result_id: str) -> None:
    await _end(connection, taken, status="COMPLETED", result_id=result_id)


async def fail(connection: AsyncConnection, taken: Taken, error_code: int, error_detail: str) -> None:
    await _end(connection, taken, status="FAILED", error_code=error_code, error_detail=error_detail)


async def _end(connection: AsyncConnection, taken: Taken, **values: object) -> None:
    """What is not done now never will be: nothing is left of it, for it may hold personal data."""
    await connection.execute(text("set local statement_timeout = 0"))  # there may be gigabytes of it
    await _set(connection, taken, completed_at=datetime.now(UTC), lease=None, **values)
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
    """Let anybody take it, after a while."""
    await _set(connection, taken, lease=None, leased_until=func.clock_timestamp() + wait)


async def release(connection: AsyncConnection, taken: Taken) -> None:
    """Let anybody take it, now. That we had it does not count as an attempt: nothing went wrong."""
    attempts = func.greatest(operation.c.attempts - 1, 0)
    await _set(connection, taken, attempts=attempts, lease=None, leased_until=func.clock_timestamp())


async def defer(connection: AsyncConnection, taken: Taken, wait: timedelta) -> None:
    """What it waits for is not there: as if it had not been taken, and not before that."""
    await _set(
        connection, taken, status="PENDING", attempts=0, lease=None, leased_until=func.clock_timestamp() + wait
    )  # fmt: skip


async def _set(connection: AsyncConnection, taken: Taken, **values: object) -> None:
    await connection.execute(
        update(operation)
        .where(operation.c.account_id == taken.account_id, operation.c.id == taken.id, operation.c.lease == taken.lease)
        .values(**values)
    )


async def remove_old(connection: AsyncConnection, kept_for: timedelta, chunk: int = 100) -> None:
    """Those that ended so long ago, a chunk at a time: each with its items."""
    old = (
        select(operation.c.account_id, operation.c.id)
        .where(operation.c.completed_at < func.clock_timestamp() - kept_for)
        .limit(chunk)
    )
    removal = delete(operation).where(tuple_(operation.c.account_id, operation.c.id).in_(old))
    while (await connection.execute(removal)).rowcount == chunk:
        pass
