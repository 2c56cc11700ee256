"""Cancels an operation that has not ended: what its steps have done stays, and no other step is committed.

A step locks the operation, so this waits for the one that is under way. After that, its worker has lost the lease.
"""

from uuid import UUID

from sqlalchemy import select, update

from profile_lookup.clock import CLOCK
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import operation
from profile_lookup.operations.leases import delete_inputs, pass_turn


async def cancel(database: Database, account_id: UUID, operation_id: UUID) -> str:
    """Cancel the operation unless it has ended, and return the status that it has then."""
    of_operation = (operation.c.account_id == account_id, operation.c.id == operation_id)
    query = select(operation.c.status, operation.c.store_id, operation.c.sequence, operation.c.completed_at)
    async with database.transaction() as connection:
        found = (await connection.execute(query.where(*of_operation).with_for_update())).one()
        if found.completed_at is not None:
            return str(found.status)
        ended = {"status": "CANCELLED", "completed_at": CLOCK.now(), "waits_until": None, "lease": None}
        await connection.execute(update(operation).where(*of_operation).values(**ended))
        await delete_inputs(connection, account_id, operation_id)
    # Whoever takes an operation locks the turn first, so this cannot be done while the operation is locked. If it is
    # not done, the next operation of the sequence waits until the lease would have run out.
    async with database.transaction() as connection:
        await pass_turn(connection, found.store_id, found.sequence)
    return "CANCELLED"
