"""The normalization version by which a store's values were made, in SQL."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.tables import operation, store
from profile_lookup.identity.values.normalization_version import CURRENT, NormalizationVersion
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queue import enqueue


async def set_normalization(
    connection: AsyncConnection, account_id: UUID, store_id: UUID, version: NormalizationVersion, kept_values: int
) -> None:
    """Store the version, and how many values are kept though its rules refuse them. It is one of the store's rules."""
    await connection.execute(
        update(store)
        .where(store.c.account_id == account_id, store.c.id == store_id)
        .values(normalization=version.to_document(), kept_values=kept_values, revision=store.c.revision + 1)
    )


async def queue_renormalization(connection: AsyncConnection, account_id: UUID, store_id: UUID) -> None:
    """Queue the operation that normalizes the store's values anew, unless it is queued or under way."""
    unfinished = select(operation.c.id).where(
        operation.c.completed_at.is_(None),
        operation.c.store_id == store_id,
        operation.c.kind == OperationKind.RENORMALIZE_VALUES,
    )
    if (await connection.execute(unfinished.limit(1))).first() is None:
        await enqueue(
            connection,
            account_id,
            store_id,
            kind=OperationKind.RENORMALIZE_VALUES,
            job_input={"version": CURRENT.to_document()},
        )
