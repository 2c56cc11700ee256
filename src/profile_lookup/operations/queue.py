"""The queue of operations: what workers do later.

An operation that has not ended is in the queue unless it waits for something, such as an upload. Operations that must
not overlap form a *sequence*: those of one store, or those of one store and one kind. The table `operation_turn` has a
row for each sequence that has operations in the queue, with the time at which a worker should look at it next. So the
next operation costs the same however many wait. A sequence that was served goes to the end, so nobody waits for all the
operations that another tenant has enqueued. See docs/decisions/0031-turns-of-sequences.md.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.documents import Document
from profile_lookup.database.ids import new_id
from profile_lookup.database.tables import operation
from profile_lookup.operations.kinds import sequence_of


@dataclass(frozen=True, slots=True)
class Taken:
    """An operation that a worker has taken. `attempts` counts how often it was taken since it last made progress."""

    account_id: UUID
    id: UUID
    store_id: UUID
    sequence: str
    kind: str
    input: Document
    progress: Document
    lease: UUID
    attempts: int


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

    `job_input` must contain no identifier's value. Without `created_at`, it is now. With `waits_until`, the operation
    enters the queue only by `mark_ready`, or at that time; the handler has to check what is missing then.
    """
    operation_id = new_id()
    await connection.execute(
        insert(operation).values(
            account_id=account_id,
            id=operation_id,
            store_id=store_id,
            kind=kind,
            sequence=sequence_of(kind),
            status="PENDING",
            input=job_input,
            progress={},
            attempts=0,
            created_at=created_at or CLOCK.now(),
            waits_until=waits_until,
            ready_at=func.statement_timestamp(),  # the column's default shows the real time, also in a server for tests
        )
    )
    return operation_id


async def mark_ready(connection: AsyncConnection, account_id: UUID, operation_id: UUID) -> bool:
    """Let an operation enter the queue, since what it waits for has arrived.

    Return False if it does not wait, because the time is up or it was marked before.
    """
    updated = await connection.execute(
        update(operation)
        .where(
            operation.c.account_id == account_id,
            operation.c.id == operation_id,
            operation.c.status == "PENDING",
            operation.c.waits_until > func.statement_timestamp(),
        )
        .values(waits_until=None)
    )
    return updated.rowcount == 1


async def end_waits(connection: AsyncConnection) -> None:
    """Let the operations enter the queue that have waited long enough, at most 100 at a time."""
    await connection.execute(_END_WAITS)


_END_WAITS = text("""
    update operation set waits_until = null
    from (
        select account_id, id from operation
        where completed_at is null and waits_until < statement_timestamp()
        order by waits_until
        limit 100
        for update skip locked
    ) due
    where operation.account_id = due.account_id and operation.id = due.id
""")


async def take(connection: AsyncConnection, kinds: Collection[str], lease: UUID, lease_time: timedelta) -> Taken | None:
    """Lease the next operation of these kinds that may run and that nobody works on, and return it.

    The transaction must be committed before the worker begins. Operations of a sequence are taken one after the other,
    in the order of their IDs; one that is not ready yet does not delay the others.
    """
    passed_over: list[tuple[UUID, str]] = []
    sequences = sorted({sequence_of(kind) for kind in kinds})
    while turn := await _next_turn(connection, sequences, kinds, passed_over):
        store_id, sequence = turn
        parameters = {"store_id": store_id, "sequence": sequence, "lease": lease, "lease_time": lease_time}
        row = (await connection.execute(_NEXT_OF_SEQUENCE, parameters)).one_or_none()
        if row is None:
            # Whoever enqueues one at this moment waits for our lock on the turn, and then makes it anew.
            ready_at = await connection.scalar(_READY_LATER, parameters)
            await connection.execute(
                _END_TURN if ready_at is None else _POSTPONE_TURN, {**parameters, "ready_at": ready_at}
            )
        elif not row.may_run:
            await connection.execute(_POSTPONE_TURN, {**parameters, "ready_at": row.next_at})
        elif row.kind not in kinds:
            passed_over.append(turn)
        else:
            leased = await connection.execute(_LEASE, {**parameters, "account_id": row.account_id, "id": row.id})
            taken = leased.one_or_none()
            if taken is not None:  # else it was cancelled at this moment
                return Taken(**taken._asdict(), lease=lease)
    return None


async def _next_turn(
    connection: AsyncConnection,
    sequences: Sequence[str],
    kinds: Collection[str],
    passed_over: Sequence[tuple[UUID, str]],
) -> tuple[UUID, str] | None:
    parameters = {
        "sequences": sequences,
        "kinds": [*kinds],
        "passed_stores": [store_id for store_id, _ in passed_over],
        "passed_sequences": [sequence for _, sequence in passed_over],
    }
    row = (await connection.execute(_NEXT_TURN, parameters)).one_or_none()
    return None if row is None else (row.store_id, row.sequence)


# One probe of an index for each sequence name. A volatile `clock_timestamp()` would be compared with every turn.
# Turns that have operations of other kinds alone are left out here. A worker that is busy with long operations would
# otherwise look at each of the hundreds that may wait, one by one, and lock it for other workers meanwhile.
_NEXT_TURN = text("""
    select turn.store_id, turn.sequence
    from unnest(cast(:sequences as text[])) as s (name)
    cross join lateral (
        select t.store_id, t.sequence, t.ready_at
        from operation_turn t
        where t.sequence = s.name
            and t.ready_at <= statement_timestamp()
            and not exists (
                select from unnest(cast(:passed_stores as uuid[]), cast(:passed_sequences as text[])) as p (store, name)
                where p.store = t.store_id and p.name = t.sequence
            )
            and coalesce(
                (
                    select true from operation o
                    where o.store_id = t.store_id and o.sequence = t.sequence
                        and o.completed_at is null and o.waits_until is null
                        and o.kind = any(cast(:kinds as text[]))
                    limit 1
                ),
                (
                    select false from operation o
                    where o.store_id = t.store_id and o.sequence = t.sequence
                        and o.completed_at is null and o.waits_until is null
                    limit 1
                ),
                true
            )
        order by t.ready_at
        limit 1
        for update skip locked
    ) turn
    order by turn.ready_at
    limit 1
""")

# The one that has begun goes first, until it ends; then the earliest that is ready.
_NEXT_OF_SEQUENCE = text("""
    select account_id, id, kind, next_at, next_at <= statement_timestamp() as may_run
    from (
        (
            select account_id, id, kind, greatest(ready_at, leased_until) as next_at, 1 as place
            from operation
            where store_id = :store_id and sequence = :sequence
                and completed_at is null and waits_until is null and status = 'RUNNING'
            limit 1
        )
        union all
        (
            select account_id, id, kind, ready_at, 2
            from operation
            where store_id = :store_id and sequence = :sequence
                and completed_at is null and waits_until is null and status = 'PENDING'
                and greatest(ready_at, leased_until) <= statement_timestamp()
            order by id
            limit 1
        )
    ) unfinished
    order by place
    limit 1
""")

_READY_LATER = text("""
    select min(greatest(ready_at, leased_until)) from operation
    where store_id = :store_id and sequence = :sequence
        and completed_at is null and waits_until is null and status = 'PENDING'
""")

_END_TURN = text("delete from operation_turn where store_id = :store_id and sequence = :sequence")

_POSTPONE_TURN = text(
    "update operation_turn set ready_at = :ready_at where store_id = :store_id and sequence = :sequence"
)

# If the worker dies, the turn is looked at again when the lease has run out.
_LEASE = text("""
    with turn as (
        update operation_turn set ready_at = statement_timestamp() + cast(:lease_time as interval)
        where store_id = :store_id and sequence = :sequence
    )
    update operation
    set status = 'RUNNING',
        lease = :lease,
        leased_until = statement_timestamp() + cast(:lease_time as interval),
        attempts = attempts + 1
    where account_id = :account_id and id = :id and completed_at is null
    returning account_id, id, store_id, sequence, kind, input, progress, attempts
""")
