"""Applies an import's rows, some hundreds a step, each resolved like a create.

While PostgreSQL writes some rows, the next ones are resolved, and a thread reads those after them: no more than that of
the file is ever in memory. A step applies its rows, writes down which were refused, and says where to go on, and it is
committed after the one before it; so each row is done once, whoever does it.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.errors import IdentifierConflict, ProfileLookupError, RowRefused
from profile_lookup.identity.change import Change
from profile_lookup.imports import queries
from profile_lookup.imports.column_mapping import MappedColumn, identifying_columns, refuse_mapping
from profile_lookup.imports.csv_file import Layout, Record
from profile_lookup.imports.refused_rows import MAX_TOLD, as_csv
from profile_lookup.imports.row_reader import Row, attempt_of, next_rows
from profile_lookup.ingest.identity_locks import in_step
from profile_lookup.ingest.ingest import Attempt, Outcome, ingest_together
from profile_lookup.jobs.bulk import time_after
from profile_lookup.operations.job_worker import Job
from profile_lookup.stores.admission import in_force
from profile_lookup.stores.rules_cache import Store

UNDER_WAY = 2  # steps at a time


@dataclass(frozen=True, slots=True)
class _SoFar:
    """By which rules the last rows were resolved, how many of the file they were, and when the next one comes."""

    store: Store
    rows_done: int
    time: datetime


async def apply_rows(
    job: Job, mapping: Sequence[MappedColumn], layout: Layout, records: Iterator[Record], rows_done: int, time: datetime
) -> None:
    """The records are those after the rows that are done; none is earlier than `time`. Raises `TraitsRefused`."""
    async with job.step() as connection:
        store = await in_force(connection, job.account_id, job.store_id)
    refuse_mapping(store.trait_groups, store.settings, mapping)
    so_far = _SoFar(store, rows_done, time)

    def read() -> tuple[Store, list[Row]]:
        """With the rules by which they were read: those of the next rows, when these are applied by newer ones."""
        read_by = so_far.store
        return read_by, list(next_rows(records, layout, mapping, read_by))

    steps: deque[asyncio.Task[None]] = deque(maxlen=UNDER_WAY)
    ahead = asyncio.create_task(asyncio.to_thread(read))
    try:
        read_by, rows = await job.hold_until(ahead)
        while rows:
            ahead = asyncio.create_task(asyncio.to_thread(read))
            while rows:
                if len(steps) == steps.maxlen:
                    await steps[0]
                resolved: asyncio.Future[_SoFar] = asyncio.get_running_loop().create_future()
                step = _apply(job, mapping, so_far, read_by, rows, steps[-1] if steps else None, resolved)
                steps.append(asyncio.create_task(step))
                before, so_far = so_far, await _told(resolved, steps[-1])
                rows = rows[so_far.rows_done - before.rows_done :]
            read_by, rows = await job.hold_until(ahead)
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
    mapping: Sequence[MappedColumn],
    so_far: _SoFar,
    read_by: Store,
    rows: list[Row],
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
            refuse_mapping(store.trait_groups, store.settings, mapping)
            attempts = [row.attempt if row.cells is None else attempt_of(store, mapping, row.cells) for row in rows]
        timed = _one_after_the_other(attempts, max(so_far.time, datetime.now(UTC)))

        def tell(outcomes: Sequence[Outcome]) -> None:
            time = time_after(timed[len(outcomes) - 1])
            resolved.set_result(_SoFar(store, so_far.rows_done + len(outcomes), time))

        outcomes = await ingest_together(connection, store, timed, tell)
        refused = [
            (row.line, *_explained(store, mapping, outcome))
            for row, outcome in zip(rows, outcomes, strict=False)
            if isinstance(outcome, ProfileLookupError)
        ]
        counts: Counter[str] = Counter(each.how for each in outcomes if not isinstance(each, ProfileLookupError))
        done = queries.Done(counts["created"], counts["updated"], counts["merged"], len(refused))
        if before is not None:
            await before
        refused_before = job.progress.get("refused", 0)
        told = as_csv(refused[: max(MAX_TOLD - refused_before, 0)])
        await queries.save_done(connection, job.store_id, job.id, done, so_far.rows_done, told)
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
