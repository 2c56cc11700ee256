"""Imports whose file is stored before anybody has said how to read it: a person looks at its first rows first.

Such an import waits, as one does that waits for its upload, and fails if nobody starts it in time.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, BinaryIO
from uuid import UUID

from sqlalchemy import Row, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.tables import profile_import
from profile_lookup.errors import UploadRefused
from profile_lookup.imports import queries
from profile_lookup.imports.columns.column_mapping import MappedColumn
from profile_lookup.imports.columns.wire import ColumnMapping
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.operations.pieces import stage_file, staged_piece
from profile_lookup.operations.queue import mark_ready
from profile_lookup.operations.quotas import Quotas, refuse_beyond_waiting_quota
from profile_lookup.stores.rules_cache import StoreRules


async def stage(
    connection: AsyncConnection,
    store: StoreRules,
    filename: str,
    file: BinaryIO,
    file_size: int,
    options: ImportOptions,
    waiting_time: timedelta,
    quotas: Quotas,
) -> UUID:
    """Store a file, and return the ID of the import that waits until somebody starts it.

    Raises `StoreNotFound` or `TooManyOperations`.
    """
    await refuse_beyond_waiting_quota(connection, store.id, quotas)
    now = CLOCK.now()
    import_id = await queries.create(
        connection,
        store.account_id,
        store.id,
        filename=filename,
        file_size=file_size,
        column_mappings=[],
        created_at=now,
        upload_until=now + waiting_time,
        waits_until=now + waiting_time,
        options=options,
    )
    await stage_file(connection, store.account_id, import_id, file)
    return import_id


def is_waiting(row: Row[Any]) -> bool:
    """Return whether an import waits for its file, or for somebody who starts it."""
    return row.uploaded_at is None and row.completed_at is None


async def staged_beginning(connection: AsyncConnection, row: Row[Any], size: int) -> bytes | None:
    """Return the first bytes of the file that an import waits with; None if it still waits for the file."""
    piece = await staged_piece(connection, row.account_id, row.id, 0) if is_waiting(row) else None
    return None if piece is None else piece[:size]


async def start(
    connection: AsyncConnection,
    store: StoreRules,
    import_id: UUID,
    mapping: Sequence[MappedColumn],
    options: ImportOptions,
    delimiter: str,
) -> None:
    """Let a worker import the stored file by this mapping. Raises `AlreadyUploaded` or `UploadRefused`."""
    if not await mark_ready(connection, store.account_id, import_id):
        await queries.awaited_file_size(connection, store.id, import_id)
        raise UploadRefused
    now = CLOCK.now()
    await connection.execute(
        update(profile_import)
        .where(profile_import.c.store_id == store.id, profile_import.c.id == import_id)
        .values(
            column_mappings=[ColumnMapping.of_domain(each).model_dump(by_alias=True) for each in mapping],
            delimiter=delimiter,
            encoding=options.encoding,
            country=options.country,
            uploaded_at=now,
            updated_at=now,
        )
    )
