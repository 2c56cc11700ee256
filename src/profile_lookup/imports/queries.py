"""Imports in SQL."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

from sqlalchemy import Row, Select, and_, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.event_rows import last_number
from profile_lookup.database.keyset import Key
from profile_lookup.database.tables import operation, profile_import, store
from profile_lookup.errors import AlreadyUploaded, ImportNotFound, StoreNotFound, UploadRefused
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.refused_rows import Reports, delete_reports, save_reports
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.pieces import stage_file
from profile_lookup.operations.queue import enqueue, mark_ready

Document = dict[str, Any]

IMPORTS_KEY = Key((profile_import.c.id,))


@dataclass(frozen=True, slots=True)
class RowCounts:
    """How many rows of an import had which outcome.

    - `cells_ignored`: cells of written rows that hold a bad or a blocked value, so that they identify nobody
    - `evicted`: identifiers that a limit dropped
    """

    created: int = 0
    updated: int = 0
    merged: int = 0
    refused: int = 0
    cells_ignored: int = 0
    evicted: int = 0


async def create(
    connection: AsyncConnection,
    account_id: UUID,
    store_id: UUID,
    *,
    filename: str,
    file_size: int,
    column_mappings: list[Document],
    created_at: datetime,
    upload_until: datetime,
    waits_until: datetime,
    options: ImportOptions,
    is_dry_run: bool = False,
) -> UUID:
    """Create an import and its operation, which has the same ID and waits for the file. Raises `StoreNotFound`.

    After `upload_until` nobody may upload the file; at `waits_until` a worker checks whether it was uploaded.
    """
    import_id = await enqueue(
        connection,
        account_id,
        store_id,
        kind=OperationKind.DRY_RUN_IMPORT if is_dry_run else OperationKind.IMPORT_PROFILES,
        job_input={},
        created_at=created_at,
        waits_until=waits_until,
    )
    store_query = select(store.c.id).where(store.c.account_id == account_id, store.c.id == store_id)
    if await connection.scalar(store_query.with_for_update(read=True, key_share=True)) is None:
        raise StoreNotFound
    await connection.execute(
        insert(profile_import).values(
            store_id=store_id,
            id=import_id,
            account_id=account_id,
            filename=filename,
            file_size=file_size,
            column_mappings=column_mappings,
            delimiter=options.delimiter,
            encoding=options.encoding,
            country=options.country,
            is_strict=options.is_strict,
            upload_until=upload_until,
            empty_lines=0,
            created=0,
            updated=0,
            merged=0,
            refused=0,
            cells_ignored=0,
            evicted=0,
            created_at=created_at,
            updated_at=created_at,
        )
    )
    return import_id


def details_of(store_id: UUID) -> Select[Any]:
    """Return the query for a store's imports, which is to be fetched page by page.

    Each row also has `status`, `error_code`, `error_detail`, `completed_at` and `kind` of the import's operation.
    """
    columns = (operation.c.status, operation.c.error_code, operation.c.error_detail, operation.c.completed_at)
    query = select(profile_import, *columns, operation.c.kind).join(operation, _joins_operation)
    return query.where(profile_import.c.store_id == store_id)


async def fetch(connection: AsyncConnection, store_id: UUID, import_id: UUID) -> Row[Any]:
    """Return the import's row, as `details_of` describes it. Raises `ImportNotFound`."""
    query = details_of(store_id).where(profile_import.c.id == import_id)
    found: Row[Any] | None = (await connection.execute(query)).one_or_none()
    if found is None:
        raise ImportNotFound
    return found


async def store_of(connection: AsyncConnection, account_id: UUID, import_id: UUID) -> UUID:
    """Return the store of an import. Raises `ImportNotFound`."""
    query = select(profile_import.c.store_id).where(
        profile_import.c.account_id == account_id, profile_import.c.id == import_id
    )
    store_id: UUID | None = await connection.scalar(query)
    if store_id is None:
        raise ImportNotFound
    return store_id


async def awaited_file_size(connection: AsyncConnection, store_id: UUID, import_id: UUID) -> int:
    """Return the size of the file that the import waits for.

    Raises `AlreadyUploaded`, or `UploadRefused` when the time is up or there is no such import or store any more.
    """
    query = (
        select(
            profile_import.c.file_size,
            profile_import.c.uploaded_at.is_not(None).label("is_uploaded"),
            (profile_import.c.upload_until > func.statement_timestamp()).label("is_in_time"),
        )
        .join(store, store.c.id == profile_import.c.store_id)
        .where(_has_id(store_id, import_id))
    )
    found = (await connection.execute(query)).one_or_none()
    if found is None or not (found.is_uploaded or found.is_in_time):
        raise UploadRefused
    if found.is_uploaded:
        raise AlreadyUploaded
    file_size: int = found.file_size
    return file_size


async def keep_file(connection: AsyncConnection, store_id: UUID, import_id: UUID, file: BinaryIO) -> None:
    """Save the whole file, so that any worker can read it. Raises `AlreadyUploaded` or `UploadRefused`.

    Deleting the store meanwhile does not wait for this: a worker then fails the import, which deletes the file.
    """
    account_query = select(store.c.account_id).where(store.c.id == store_id)
    account_id: UUID | None = await connection.scalar(account_query)
    # The operation is locked first, since workers lock it first, too.
    if account_id is None or not await mark_ready(connection, account_id, import_id):
        await awaited_file_size(connection, store_id, import_id)
        raise UploadRefused
    try:
        await keep_pieces(connection, account_id, store_id, import_id, file)
    except StoreNotFound:
        raise UploadRefused from None


async def keep_pieces(
    connection: AsyncConnection, account_id: UUID, store_id: UUID, import_id: UUID, file: BinaryIO
) -> None:
    """Save the whole file, the operation being locked. Raises `StoreNotFound` if the import went with its store."""
    await _update(connection, store_id, import_id, uploaded_at=CLOCK.now())
    await stage_file(connection, account_id, import_id, file)


async def save_extent(
    connection: AsyncConnection, store_id: UUID, import_id: UUID, rows_total: int, empty_lines: int
) -> None:
    """Save how much the file holds, before its first row is applied.

    Raises `StoreNotFound` if the import went with its store.
    """
    counts = {"rows_total": rows_total, "empty_lines": empty_lines}
    number = await last_number(connection, store_id)
    await _update(connection, store_id, import_id, **counts, events_after=number)


async def save_step(
    connection: AsyncConnection,
    store_id: UUID,
    import_id: UUID,
    row_counts: RowCounts,
    position: int,
    reports: Reports,
) -> None:
    """Save what a step did. `position` is unique among the import's reports.

    Raises `StoreNotFound` if the import went with its store.
    """
    until = await last_number(connection, store_id)  # the step has drawn all its numbers
    parameters = {"store_id": store_id, "import_id": import_id, "now": CLOCK.now(), "events_until": until}
    if (await connection.execute(_COUNT, parameters | asdict(row_counts))).rowcount == 0:
        raise StoreNotFound
    await save_reports(connection, store_id, import_id, position, reports)


async def begin_anew(connection: AsyncConnection, store_id: UUID, import_id: UUID) -> None:
    """Forget the counts and reports of a dry run. Raises `StoreNotFound` if the import went with its store."""
    await _update(connection, store_id, import_id, **asdict(RowCounts()))
    await delete_reports(connection, store_id, import_id)


async def save_notices(
    connection: AsyncConnection, store_id: UUID, import_id: UUID, notices: list[Document] | None
) -> None:
    """Save what is to be said at the end. Raises `StoreNotFound` if the import went with its store."""
    await _update(connection, store_id, import_id, notices=notices)


async def _update(connection: AsyncConnection, store_id: UUID, import_id: UUID, **values: Any) -> None:
    changed = await connection.execute(
        update(profile_import).where(_has_id(store_id, import_id)).values(**values, updated_at=CLOCK.now())
    )
    if changed.rowcount == 0:
        raise StoreNotFound


# As text, since each step runs it, and to construct a statement takes long.
_COUNT = text("""
    update profile_import set
        created = created + :created, updated = updated + :updated, merged = merged + :merged, updated_at = :now,
        refused = refused + :refused, cells_ignored = cells_ignored + :cells_ignored, evicted = evicted + :evicted,
        events_until = :events_until
    where store_id = :store_id and id = :import_id
""")

_joins_operation = and_(operation.c.account_id == profile_import.c.account_id, operation.c.id == profile_import.c.id)


def _has_id(store_id: UUID, import_id: UUID) -> Any:
    return and_(profile_import.c.store_id == store_id, profile_import.c.id == import_id)
