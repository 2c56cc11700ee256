"""Handles the operation of an import: the file is fetched and examined, then its rows are applied.

A file that was uploaded to a bucket is moved into the database. From there it is copied to the disk, read as a whole,
and then applied in steps of some hundreds of rows.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from profile_lookup.clock import CLOCK
from profile_lookup.errors import FileRefused, ProfileLookupError, TraitsRefused, Unavailable
from profile_lookup.imports import queries
from profile_lookup.imports.columns.column_mapping import MappedColumn
from profile_lookup.imports.columns.wire import ColumnMapping
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.files.layout import Layout, examine, layout_of, rows_of
from profile_lookup.imports.notices.file_search import MIN_PLACEHOLDER_ROWS, shared_values, unlikely_columns
from profile_lookup.imports.notices.findings import Findings
from profile_lookup.imports.notices.notice import MAX_NOTICES, Notice
from profile_lookup.imports.row_rules import RowRules
from profile_lookup.imports.row_writer import ReadRecords, apply_rows
from profile_lookup.imports.s3 import Bucket, next_poll
from profile_lookup.imports.uploads import scratch_file
from profile_lookup.operations.job import Handler, Job
from profile_lookup.operations.pieces import staged_piece
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.web import ids


@dataclass(frozen=True, slots=True)
class _Import:
    """An import to do. `id` is its operation's ID, too. No row gets a time before `time`, whatever the clock says."""

    store_id: UUID
    id: UUID
    file_size: int
    mapping: Sequence[MappedColumn]
    options: ImportOptions
    created_at: datetime
    upload_until: datetime
    is_uploaded: bool
    is_examined: bool
    rows_done: int
    time: datetime

    @property
    def columns(self) -> list[str]:
        return [each.column for each in self.mapping]


ApplyRows = Callable[[Job, RowRules, ReadRecords, int, datetime], Awaitable[None]]
"""Applies the rows of an import, or only finds out what would come of them."""


def import_handler(directory: Path, bucket: Bucket | None, apply: ApplyRows = apply_rows) -> Handler:
    """Return the handler of imports. `directory` holds temporary files; clients upload to `bucket`, if there is one."""

    async def import_profiles(job: Job) -> None:
        """Do an import.

        Raises `FileRefused`, before any row is applied; `StoreNotFound`; `TraitsRefused`, when the mapping does not fit
        the store's traits any more.
        """
        details = await _load(job)
        has_file = details.is_uploaded
        if not has_file and bucket is not None:
            has_file = await _fetch_from_bucket(bucket, job, details, directory)
        if not has_file and CLOCK.now() > details.upload_until:
            raise FileRefused("expected an upload before the url expired")
        if not has_file:
            await job.wait_outside(next_poll(CLOCK.now() - details.created_at))
            return
        async with _scratch_copy(job, directory) as file:
            layout = await _read_layout(job, details, file)
            row_rules = RowRules(details.mapping, layout, details.options)
            await apply(job, row_rules, partial(rows_of, file, layout), details.rows_done, details.time)
            notices = await _find_notices(job, row_rules, file)
        if bucket is not None:
            await bucket.remove(job.store_id, job.id)
        async with job.step() as connection:
            await queries.save_notices(connection, job.store_id, job.id, [each.to_document() for each in notices])
            await job.complete(connection, ids.import_id(job.id))

    async def import_from_bucket(job: Job) -> None:
        """Do an import, and delete the uploaded object if the import fails."""
        assert bucket is not None
        try:
            await import_profiles(job)
        except Unavailable:
            raise
        except ProfileLookupError:
            await bucket.remove(job.store_id, job.id)
            raise

    return import_profiles if bucket is None else import_from_bucket


async def _load(job: Job) -> _Import:
    async with job.step() as connection:
        await rules_in_force(connection, job.account_id, job.store_id)
        row = await queries.fetch(connection, job.store_id, job.id)
    return _Import(
        store_id=job.store_id,
        id=job.id,
        file_size=row.file_size,
        mapping=[ColumnMapping.model_validate(each).to_domain() for each in row.column_mappings],
        options=ImportOptions(row.delimiter, row.encoding, row.country, row.is_strict),
        created_at=row.created_at,
        upload_until=row.upload_until,
        is_uploaded=row.uploaded_at is not None,
        is_examined=row.rows_total is not None,
        rows_done=job.progress.get("rows_done", 0),
        time=datetime.fromisoformat(job.progress["time"]) if "time" in job.progress else row.created_at,
    )


async def _fetch_from_bucket(bucket: Bucket, job: Job, details: _Import, directory: Path) -> bool:
    """Move the file into the database, and return whether there was one. What is uploaded later is ignored."""
    with scratch_file(directory) as file:
        downloaded = asyncio.create_task(bucket.download(details.store_id, details.id, details.file_size, file))
        if not await job.hold_until(downloaded):
            return False
        async with job.step() as connection:
            await queries.keep_pieces(connection, job.account_id, details.store_id, details.id, file)
            await job.save(connection, **job.progress)
    return True


@asynccontextmanager
async def _scratch_copy(job: Job, directory: Path) -> AsyncIterator[BinaryIO]:
    """Yield a copy of the file. Closing it also stops a thread that still reads it, by a `ValueError`."""
    with scratch_file(directory) as file:
        position = 0
        while True:
            async with job.step() as connection:
                piece = await staged_piece(connection, job.account_id, job.id, position)
            if piece is None:
                break
            await asyncio.to_thread(file.write, piece)
            position += 1
        yield file


async def _read_layout(job: Job, details: _Import, file: BinaryIO) -> Layout:
    """Return the file's layout. The whole file is examined once before the first row, but not again after a crash."""
    if details.is_examined:
        return layout_of(file, details.columns, details.options.delimiter, details.options.encoding)
    examined = asyncio.create_task(
        asyncio.to_thread(examine, file, details.columns, details.options.delimiter, details.options.encoding)
    )
    layout, extent = await job.hold_until(examined)
    async with job.step() as connection:
        await queries.save_extent(connection, details.store_id, details.id, extent.rows, extent.empty_lines)
        await job.save(connection, **job.progress)
    return layout


async def _find_notices(job: Job, row_rules: RowRules, file: BinaryIO) -> list[Notice]:
    """Return the notices, once all rows are done, those about most rows first.

    The whole file is read again only if a value may stand in very many rows. If the mapping does not fit the store's
    traits any more, there are only notices about evictions.
    """
    async with job.step() as connection:
        store = await rules_in_force(connection, job.account_id, job.store_id)
        row = await queries.fetch(connection, job.store_id, job.id)
    findings = Findings(job.progress)
    may_be_shared = findings.marks or row.cells_ignored + row.refused >= MIN_PLACEHOLDER_ROWS

    def search() -> list[Notice]:
        records = partial(rows_of, file, row_rules.layout)
        found = unlikely_columns(records, row_rules, store)
        return found + (shared_values(records, row_rules, store, set(findings.marks)) if may_be_shared else [])

    notices = list(findings.evictions)
    with suppress(TraitsRefused):
        row_rules.reader(store)
        notices += await job.hold_until(asyncio.create_task(asyncio.to_thread(search)))
    return sorted(notices, key=lambda each: -each.rows)[:MAX_NOTICES]
