"""The work of the operation that an import is: its file's rows, some hundreds a step, each resolved like a create.

The file is copied out of the database first. While PostgreSQL writes some rows, the next ones are resolved, and a
thread reads those after them: no more than that of the file is ever in memory. A step applies its rows, writes down
which were refused, and says where to go on, and it is committed after the one before it; so each row is done once,
whoever does it.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.errors import FileRefused, IdentifierConflict, ProfileLookupError, RowRefused, Unavailable
from profile_lookup.identity.change import Change
from profile_lookup.imports import queries
from profile_lookup.imports.csv_file import Layout, Record, examine, layout_of, rows_of
from profile_lookup.imports.mapping import MappedColumn, identifying_columns, read_row, refuse_mapping
from profile_lookup.imports.refusals import MAX_TOLD, as_csv
from profile_lookup.imports.s3 import Bucket, next_look
from profile_lookup.imports.uploads import scratch_file
from profile_lookup.imports.wire import ColumnMapping
from profile_lookup.operations.pieces import staged_piece
from profile_lookup.operations.worker import LEASE, Handler, Job
from profile_lookup.profiles.bulk import time_after
from profile_lookup.profiles.gathering import in_step
from profile_lookup.profiles.ingest import Attempt, Outcome, ingest_together
from profile_lookup.stores.admission import Store, in_force
from profile_lookup.web import ids

ROWS = 300
"""In a step that are not refused already: some tens of milliseconds, in which others wait for no more than these."""
UNDER_WAY = 2  # steps at a time
RECORDS = 5000  # in a step, with those that are refused
CHARACTERS = 1 << 20  # in a step, of the mapped columns

Result = TypeVar("Result")


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


@dataclass(frozen=True, slots=True)
class _Row:
    """`cells` are those of the mapped columns, in the order of the mapping; None if it could not be read at all."""

    line: int
    cells: Sequence[str] | None
    attempt: Change | RowRefused


@dataclass(frozen=True, slots=True)
class _SoFar:
    """By which rules the last rows were resolved, how many of the file they were, and when the next one comes."""

    store: Store
    rows_done: int
    time: datetime


def importing(directory: Path, bucket: Bucket | None) -> Handler:
    """The handler. `directory` is for files that do not stay; to `bucket` come uploads, if not to this service."""

    async def import_profiles(job: Job) -> None:
        """Raises `FileRefused`, nothing having been applied; `StoreNotFound`; `TraitsRefused`: no mapping any more."""
        what = await _begin(job)
        is_there = what.is_uploaded or (bucket is not None and await _taken_from(bucket, job, what, directory))
        if not is_there and datetime.now(UTC) > what.upload_until:
            raise FileRefused("expected an upload before the url expired")
        if not is_there:
            await job.put_off(next_look(datetime.now(UTC) - what.created_at))
            return
        async with _copied(job, directory) as file:
            layout = await _read_layout(job, what, file)
            await _apply_all(job, what, layout, rows_of(file, layout, skip=what.rows_done))
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
        if not await _while_ours(job, taken):
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
    examined = _in_a_thread(lambda: examine(file, what.columns, what.delimiter))
    layout, extent = await _while_ours(job, examined)
    async with job.step() as connection:
        await queries.save_extent(connection, what.store_id, what.id, extent.rows, extent.empty_lines)
        await job.save(connection, **job.progress)
    return layout


async def _apply_all(job: Job, what: _Import, layout: Layout, records: Iterator[Record]) -> None:
    """Two steps are under way at a time: while PostgreSQL writes what one came to, the next one is resolved."""
    async with job.step() as connection:
        store = await in_force(connection, job.account_id, job.store_id)
    refuse_mapping(store.trait_groups, store.settings, what.mapping)
    so_far = _SoFar(store, what.rows_done, what.time)

    def read() -> tuple[Store, list[_Row]]:
        """With the rules by which they were read: those of the next rows, when these are applied by newer ones."""
        read_by = so_far.store
        return read_by, list(_some(records, layout, what.mapping, read_by))

    steps: deque[asyncio.Task[None]] = deque(maxlen=UNDER_WAY)
    ahead = _in_a_thread(read)
    try:
        read_by, rows = await _while_ours(job, ahead)
        while rows:
            ahead = _in_a_thread(read)
            while rows:
                if len(steps) == steps.maxlen:
                    await steps[0]
                resolved: asyncio.Future[_SoFar] = asyncio.get_running_loop().create_future()
                step = _apply(job, what, so_far, read_by, rows, steps[-1] if steps else None, resolved)
                steps.append(asyncio.create_task(step))
                before, so_far = so_far, await _told(resolved, steps[-1])
                rows = rows[so_far.rows_done - before.rows_done :]
            read_by, rows = await _while_ours(job, ahead)
        for each in steps:
            await each
    finally:
        ahead.cancel()  # nobody asks any more what came of it
        for each in steps:
            each.cancel()
        await asyncio.gather(*steps, return_exceptions=True)


async def _told(resolved: "asyncio.Future[_SoFar]", step: "asyncio.Task[None]") -> _SoFar:
    """By the step, while it goes on. Raises what keeps it from going on."""
    step.add_done_callback(lambda _: resolved.cancel())
    try:
        return await resolved
    except asyncio.CancelledError:
        if step.done():
            step.result()
        raise


async def _apply(
    job: Job,
    what: _Import,
    so_far: _SoFar,
    read_by: Store,
    rows: list[_Row],
    before: asyncio.Task[None] | None,
    resolved: asyncio.Future[_SoFar],
) -> None:
    """In one step, as many as fit; `resolved` is told which, as soon as the next step may begin.

    That is when the locks are held of all whom these rows are about. What the next one shares with them it waits for;
    what it comes to is committed after this one, or not at all.
    """

    async def write(connection: AsyncConnection, store: Store) -> None:
        if store.revision == read_by.revision:
            attempts = [row.attempt for row in rows]
        else:
            refuse_mapping(store.trait_groups, store.settings, what.mapping)
            attempts = [row.attempt if row.cells is None else _attempt(store, what.mapping, row.cells) for row in rows]
        timed = _one_after_the_other(attempts, max(so_far.time, datetime.now(UTC)))

        def tell(outcomes: Sequence[Outcome]) -> None:
            time = time_after(timed[len(outcomes) - 1])
            resolved.set_result(_SoFar(store, so_far.rows_done + len(outcomes), time))

        outcomes = await ingest_together(connection, store, timed, tell)
        refused = [
            (row.line, *_explained(store, what.mapping, outcome))
            for row, outcome in zip(rows, outcomes, strict=False)
            if isinstance(outcome, ProfileLookupError)
        ]
        counts: Counter[str] = Counter(each.how for each in outcomes if not isinstance(each, ProfileLookupError))
        done = queries.Done(counts["created"], counts["updated"], counts["merged"], len(refused))
        if before is not None:
            await before
        refused_before = job.progress.get("refused", 0)
        told = as_csv(refused[: max(MAX_TOLD - refused_before, 0)])
        await queries.save_done(connection, what.store_id, what.id, done, so_far.rows_done, told)
        progress = {"rows_done": so_far.rows_done + len(outcomes), "refused": refused_before + len(refused)}
        await job.save(connection, **progress, time=time_after(timed[len(outcomes) - 1]).isoformat())

    await in_step(job, write, job.overlapping_step)


def _one_after_the_other(attempts: Sequence[Change | RowRefused], time: datetime) -> list[Attempt]:
    """As requests would have come, from this time on."""
    timed: list[Attempt] = []
    for attempt in attempts:
        timed.append((attempt, time))
        time = time_after(timed[-1])
    return timed


def _some(records: Iterator[Record], layout: Layout, mapping: Sequence[MappedColumn], store: Store) -> Iterator[_Row]:
    """The next ones, as many as one step should take."""
    positions = [layout.positions[each.column] for each in mapping]
    changes = characters = 0
    for record in islice(records, RECORDS):
        if record.fields is None:
            yield _Row(record.line, None, RowRefused(None, record.reason))
            continue
        cells = [record.fields[position] for position in positions]
        row = _Row(record.line, cells, _attempt(store, mapping, cells))
        yield row
        changes += isinstance(row.attempt, Change)
        characters += sum(map(len, cells))
        if changes >= ROWS or characters >= CHARACTERS:
            return


def _attempt(store: Store, mapping: Sequence[MappedColumn], cells: Sequence[str]) -> Change | RowRefused:
    try:
        return read_row(store.trait_groups, store.settings, mapping, cells)
    except RowRefused as refused:
        return refused


def _explained(store: Store, mapping: Sequence[MappedColumn], refused: ProfileLookupError) -> tuple[str | None, str]:
    """The column, if it is one, and the reason."""
    match refused:
        case RowRefused(column=column, reason=reason):
            return column, reason
        case IdentifierConflict(id_type=id_type):
            identifying = identifying_columns(store.trait_groups, store.settings, mapping)
            columns = [column for column, promoted in identifying.items() if promoted == id_type]
            return columns[0] if len(columns) == 1 else None, str(refused)
    return None, str(refused)


async def _while_ours(job: Job, task: "asyncio.Task[Result]") -> Result:
    """However long it takes, nobody else takes the operation."""
    try:
        while not (await asyncio.wait([task], timeout=LEASE.total_seconds() / 3))[0]:
            async with job.step():
                pass
        return task.result()
    finally:
        task.cancel()


def _in_a_thread(call: Callable[[], Result]) -> "asyncio.Task[Result]":
    return asyncio.create_task(asyncio.to_thread(call))
