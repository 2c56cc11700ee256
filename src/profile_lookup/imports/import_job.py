"""The work of the operation that an import is: its file is fetched and examined, then its rows are applied.

What comes to a bucket is brought into the database. From there the file is copied out, to be gone through as a whole,
and then some hundreds of rows a step.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from profile_lookup.errors import FileRefused, ProfileLookupError, Unavailable
from profile_lookup.imports import queries
from profile_lookup.imports.column_mapping import MappedColumn
from profile_lookup.imports.csv_file import Layout, examine, layout_of, rows_of
from profile_lookup.imports.row_writer import apply_rows
from profile_lookup.imports.s3 import Bucket, next_look
from profile_lookup.imports.uploads import scratch_file
from profile_lookup.imports.wire import ColumnMapping
from profile_lookup.operations.job_worker import Handler, Job
from profile_lookup.operations.pieces import staged_piece
from profile_lookup.stores.admission import in_force
from profile_lookup.web import ids


@dataclass(frozen=True, slots=True)
class _Import:
    """What is to be done. `id` is the operation's as well; no row is earlier than `time`, by whatever clock."""

    store_id: UUID
    id: UUID
    file_size: int
    mapping: Sequence[MappedColumn]
    delimiter: str | None
    created_at: datetime
    upload_until: datetime
    is_uploaded: bool
    is_examined: bool
    rows_done: int
    time: datetime

    @property
    def columns(self) -> list[str]:
        return [each.column for each in self.mapping]


def importing(directory: Path, bucket: Bucket | None) -> Handler:
    """The handler. `directory` is for files that do not stay; to `bucket` come uploads, if not to this service."""

    async def import_profiles(job: Job) -> None:
        """Raises `FileRefused`, nothing having been applied; `StoreNotFound`; `TraitsRefused`: no mapping any more."""
        what = await _begin(job)
        is_there = what.is_uploaded or (bucket is not None and await _taken_from(bucket, job, what, directory))
        if not is_there and datetime.now(UTC) > what.upload_until:
            raise FileRefused("expected an upload before the url expired")
        if not is_there:
            await job.defer(next_look(datetime.now(UTC) - what.created_at))
            return
        async with _copied(job, directory) as file:
            layout = await _read_layout(job, what, file)
            records = rows_of(file, layout, skip=what.rows_done)
            await apply_rows(job, what.mapping, layout, records, what.rows_done, what.time)
        if bucket is not None:
            await bucket.remove(job.store_id, job.id)
        async with job.step() as connection:
            await job.complete(connection, ids.import_id(job.id))

    async def import_from_bucket(job: Job) -> None:
        """And if it fails, nothing stays there."""
        assert bucket is not None
        try:
            await import_profiles(job)
        except Unavailable:
            raise
        except ProfileLookupError:
            await bucket.remove(job.store_id, job.id)
            raise

    return import_profiles if bucket is None else import_from_bucket


async def _begin(job: Job) -> _Import:
    async with job.step() as connection:
        await in_force(connection, job.account_id, job.store_id)
        row = await queries.fetch(connection, job.store_id, job.id)
    return _Import(
        store_id=job.store_id,
        id=job.id,
        file_size=row.file_size,
        mapping=[ColumnMapping.model_validate(each).to_domain() for each in row.column_mappings],
        delimiter=row.delimiter,
        created_at=row.created_at,
        upload_until=row.upload_until,
        is_uploaded=row.uploaded_at is not None,
        is_examined=row.rows_total is not None,
        rows_done=job.progress.get("rows_done", 0),
        time=datetime.fromisoformat(job.progress["time"]) if "time" in job.progress else row.created_at,
    )


async def _taken_from(bucket: Bucket, job: Job, what: _Import, directory: Path) -> bool:
    """Whether the file was there. From now on it is in the database, and what comes there later is not looked at."""
    with scratch_file(directory) as file:
        taken = asyncio.create_task(bucket.take(what.store_id, what.id, what.file_size, file))
        if not await job.hold_until(taken):
            return False
        async with job.step() as connection:
            await queries.keep_pieces(connection, job.account_id, what.store_id, what.id, file)
            await job.save(connection, **job.progress)
    return True


@asynccontextmanager
async def _copied(job: Job, directory: Path) -> AsyncIterator[BinaryIO]:
    """That it is closed in the end is also what stops a thread that reads it: it gets a `ValueError`."""
    with scratch_file(directory) as file:
        position = 0
        while True:
            async with job.step() as connection:
                piece = await staged_piece(connection, job, position)
            if piece is None:
                break
            await asyncio.to_thread(file.write, piece)
            position += 1
        yield file


async def _read_layout(job: Job, what: _Import, file: BinaryIO) -> Layout:
    """The whole file is gone through before the first row is applied, but not again after a crash."""
    if what.is_examined:
        return layout_of(file, what.columns, what.delimiter)
    examined = asyncio.create_task(asyncio.to_thread(examine, file, what.columns, what.delimiter))
    layout, extent = await job.hold_until(examined)
    async with job.step() as connection:
        await queries.save_extent(connection, what.store_id, what.id, extent.rows, extent.empty_lines)
        await job.save(connection, **job.progress)
    return layout
