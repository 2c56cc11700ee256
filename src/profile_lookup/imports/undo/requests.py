"""Requests to cancel an import, or to undo it."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.pool import Database
from profile_lookup.database.tables import operation
from profile_lookup.errors import ImportEnded, ImportUnfinished
from profile_lookup.imports import queries
from profile_lookup.imports.progress import wrote_nothing
from profile_lookup.operations.cancellation import cancel
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queue import enqueue
from profile_lookup.web import ids

HIGHEST_NUMBER = 2**63 - 1


async def cancel_import(database: Database, store_id: UUID, import_id: UUID) -> Row[Any]:
    """Cancel an import that has not ended, and return its row. To cancel it again changes nothing.

    Raises `ImportNotFound`, or `ImportEnded` if it was completed or has failed.
    """
    async with database.statements() as connection:
        row = await queries.fetch(connection, store_id, import_id)
    if await cancel(database, row.account_id, import_id) != "CANCELLED":
        raise ImportEnded
    async with database.statements() as connection:
        return await queries.fetch(connection, store_id, import_id)


async def enqueue_undo(connection: AsyncConnection, store_id: UUID, import_id: UUID, *, is_dry_run: bool) -> UUID:
    """Enqueue the undo of an import, and return the operation's ID. Raises `ImportNotFound` or `ImportUnfinished`."""
    row = await queries.fetch(connection, store_id, import_id)
    if row.completed_at is None:
        raise ImportUnfinished
    # An import of the version before did not say where its events are: then all of the store's are looked through.
    until = 0 if wrote_nothing(row) else row.events_until or HIGHEST_NUMBER
    job_input = {
        "import_id": ids.import_id(import_id),
        "began_at": row.created_at.isoformat(),
        "is_dry_run": is_dry_run,
        "after": row.events_after or 0,
        "until": until,
    }
    return await enqueue(connection, row.account_id, store_id, kind=OperationKind.UNDO_IMPORT, job_input=job_input)


async def unfinished_undo(connection: AsyncConnection, account_id: UUID, import_id: UUID) -> UUID | None:
    """Return the operation that undoes the import at present, if there is one; a dry run does not count."""
    query = select(operation.c.id).where(
        operation.c.account_id == account_id,
        operation.c.kind == OperationKind.UNDO_IMPORT,
        operation.c.completed_at.is_(None),
        operation.c.input["import_id"].astext == ids.import_id(import_id),
        operation.c.input["is_dry_run"].astext == "false",
    )
    found: UUID | None = await connection.scalar(query.order_by(operation.c.id).limit(1))
    return found
