"""The file of an operation in SQL, in pieces, since no statement should hold the whole file."""

from typing import BinaryIO
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.tables import operation_piece
from profile_lookup.operations.job import Job

PIECE_SIZE = 1 << 19  # bytes


async def stage_file(connection: AsyncConnection, account_id: UUID, operation_id: UUID, file: BinaryIO) -> None:
    """Save the whole file in one transaction, until the operation has ended: it may hold personal data."""
    position = 0
    file.seek(0)
    while content := file.read(PIECE_SIZE):
        await connection.execute(
            insert(operation_piece).values(
                account_id=account_id, operation_id=operation_id, position=position, content=content
            )
        )
        position += 1


async def staged_file(connection: AsyncConnection, job: Job) -> bytes:
    """Return a whole file that is small enough for that. It is empty if none was saved."""
    pieces: list[bytes] = []
    while piece := await staged_piece(connection, job.account_id, job.id, len(pieces)):
        pieces.append(piece)
    return b"".join(pieces)


async def staged_piece(
    connection: AsyncConnection, account_id: UUID, operation_id: UUID, position: int
) -> bytes | None:
    """Return one piece of the file, or None after the last one."""
    query = select(operation_piece.c.content).where(
        operation_piece.c.account_id == account_id,
        operation_piece.c.operation_id == operation_id,
        operation_piece.c.position == position,
    )
    content: bytes | None = await connection.scalar(query)
    return content
