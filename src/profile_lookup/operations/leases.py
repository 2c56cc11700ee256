"""What a worker does with an operation that it has taken: it renews the lease, saves progress, ends or releases it.

Each function that ends or releases an operation also passes on the turn of its sequence (see `queue.py`).
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.documents import Document
from profile_lookup.database.tables import operation, operation_item, operation_piece, preview_form
from profile_lookup.operations.queue import Taken


async def renew(connection: AsyncConnection, taken: Taken, lease_time: timedelta) -> bool:
    """Renew the lease, and return whether it was still ours.

    If so, the operation's row is locked until the transaction ends, and no other worker can take it.
    """
    renewed = await connection.execute(
        update(operation)
        .where(operation.c.account_id == taken.account_id, operation.c.id == taken.id, operation.c.lease == taken.lease)
        .values(leased_until=func.statement_timestamp() + lease_time)
    )
    return renewed.rowcount == 1


async def save_progress(connection: AsyncConnection, taken: Taken, progress: Document) -> None:
    await _update(connection, taken, progress=progress, attempts=0)


async def complete(connection: AsyncConnection, taken: Taken, result_id: str) -> None:
    await _end(connection, taken, status="COMPLETED", result_id=result_id)


async def fail(connection: AsyncConnection, taken: Taken, error_code: int, error_detail: str) -> None:
    await _end(connection, taken, status="FAILED", error_code=error_code, error_detail=error_detail)


async def _end(connection: AsyncConnection, taken: Taken, **values: object) -> None:
    """End the operation, and delete the inputs that are left."""
    await _update(connection, taken, completed_at=CLOCK.now(), lease=None, **values)
    await delete_inputs(connection, taken.account_id, taken.id)
    await _pass_turn(connection, taken)


async def delete_inputs(connection: AsyncConnection, account_id: UUID, operation_id: UUID) -> None:
    """Delete the inputs of an operation that has ended, since they may hold personal data."""
    await connection.execute(text("set local statement_timeout = 0"))  # there may be gigabytes of input
    await connection.execute(
        delete(operation_item).where(
            operation_item.c.account_id == account_id,
            operation_item.c.operation_id == operation_id,
            operation_item.c.outcome.is_(None),
        )
    )
    for table in (operation_piece, preview_form):
        await connection.execute(
            delete(table).where(table.c.account_id == account_id, table.c.operation_id == operation_id)
        )


async def retry_later(connection: AsyncConnection, taken: Taken, wait: timedelta) -> None:
    """Let any worker take the operation again, after a while."""
    await _update(connection, taken, lease=None, leased_until=None, ready_at=func.statement_timestamp() + wait)
    await _pass_turn(connection, taken, wait)


async def release(connection: AsyncConnection, taken: Taken) -> None:
    """Let any worker take the operation at once. The attempt does not count, since nothing went wrong."""
    attempts = func.greatest(operation.c.attempts - 1, 0)
    await _update(connection, taken, attempts=attempts, lease=None, leased_until=None)
    await _pass_turn(connection, taken)


async def defer(connection: AsyncConnection, taken: Taken, wait: timedelta) -> None:
    """Let any worker take the operation after a while, as if it had not been taken: it is PENDING until then."""
    ready_at = func.statement_timestamp() + wait
    await _update(connection, taken, status="PENDING", attempts=0, lease=None, leased_until=None, ready_at=ready_at)
    await _pass_turn(connection, taken)


async def wait_outside(connection: AsyncConnection, taken: Taken, wait: timedelta) -> None:
    """Let the operation leave the queue for a while, as if it had not been taken, since it waits for something."""
    waits_until = func.statement_timestamp() + wait
    await _update(
        connection, taken, status="PENDING", attempts=0, lease=None, leased_until=None, waits_until=waits_until
    )
    await _pass_turn(connection, taken)


async def _update(connection: AsyncConnection, taken: Taken, **values: object) -> None:
    await connection.execute(
        update(operation)
        .where(operation.c.account_id == taken.account_id, operation.c.id == taken.id, operation.c.lease == taken.lease)
        .values(**values)
    )


async def _pass_turn(connection: AsyncConnection, taken: Taken, wait: timedelta = timedelta(0)) -> None:
    await pass_turn(connection, taken.store_id, taken.sequence, wait)


async def pass_turn(connection: AsyncConnection, store_id: UUID, sequence: str, wait: timedelta = timedelta(0)) -> None:
    """Let a worker look at the sequence again, after the sequences that are ready already, unless it is empty now.

    These are the last statements of the transaction: whoever enqueues in this sequence waits for them.
    """
    parameters = {"store_id": store_id, "sequence": sequence, "wait": wait}
    await connection.execute(_LOCK_TURN, parameters)
    await connection.execute(_PASS_TURN, parameters)
    await connection.execute(_END_EMPTY_TURN, parameters)


_LOCK_TURN = text("select from operation_turn where store_id = :store_id and sequence = :sequence for update")

_PASS_TURN = text("""
    update operation_turn set ready_at = statement_timestamp() + cast(:wait as interval)
    where store_id = :store_id and sequence = :sequence
""")

# The turn is locked, so this statement sees every operation whose turn exists; whoever enqueues now makes it anew.
_END_EMPTY_TURN = text("""
    delete from operation_turn turn
    where turn.store_id = :store_id and turn.sequence = :sequence
        and not exists (
            select from operation o
            where o.store_id = :store_id and o.sequence = :sequence
                and o.completed_at is null and o.waits_until is null
        )
""")
