"""Operations in SQL."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.ids import new_id
from profile_lookup.database.tables import operation


async def record_completed(connection: AsyncConnection, account_id: UUID, *, kind: str, result_id: str) -> UUID:
    """What was done within this very transaction, as an operation that a client can ask after."""
    now = datetime.now(UTC)
    operation_id = new_id()
    await connection.execute(
        insert(operation).values(
            account_id=account_id,
            id=operation_id,
            kind=kind,
            status="COMPLETED",
            result_id=result_id,
            created_at=now,
            completed_at=now,
        )
    )
    return operation_id


async def find(connection: AsyncConnection, account_id: UUID, operation_id: UUID) -> Row[Any] | None:
    question = select(operation).where(operation.c.account_id == account_id, operation.c.id == operation_id)
    return (await connection.execute(question)).one_or_none()
