"""Applies an import's rows, some hundreds per step; each row is resolved like a create.

While PostgreSQL writes the rows of one step, the rows of the next step are resolved, and a thread reads those after
them; no more of the file is in memory. A step applies its rows, saves which were refused and where to go on, and is
committed after the step before it. So each row is applied exactly once, by whatever worker.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.errors import IdentifierConflict, ProfileLookupError, RowRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.profile_replay import Written
from profile_lookup.imports import queries
from profile_lookup.imports.columns.column_mapping import MappedColumn, identifying_columns
from profile_lookup.imports.files.csv_records import Record
from profile_lookup.imports.notices import Marks
from profile_lookup.imports.refused_rows import MAX_REPORTED, Reports, as_csv
from profile_lookup.imports.row_reader import Row, next_rows
from profile_lookup.imports.row_rules import RowRules
from profile_lookup.ingest.attempts import Attempt, Outcome, time_after
from profile_lookup.ingest.evictions import log_evictions
from profile_lookup.ingest.identity_locks import write_in_step
from profile_lookup.ingest.ingest import ingest_together
from profile_lookup.operations.job import Job
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids

MAX_CONCURRENT_STEPS = 2


@dataclass(frozen=True, slots=True)
class _Position:
    """Where an import is: the rules that the last rows were resolved by, the rows done, and the next row's time."""

    store: StoreRules
    rows_done: int
    time: datetime


async def apply_rows(job: Job, row_rules: RowRules, records: Iterator[Record], rows_done: int, time: datetime) -> None:
    """Apply the records, which follow `rows_done` rows that are done already. No row gets an earlier time than `time`.

    Raises `TraitsRefused`, when the mapping does not fit the store's traits any more.
    """
    async with job.step() as connection:
        store = await rules_in_force(connection, job.account_id, job.store_id)
    row_rules.reader(store)
    position = _Position(store, rows_done, time)
    marks = Marks(job.progress.get("marks", ()))

    def read() -> tuple[StoreRules, list[Row]]:
        """Return the rules in force and the next rows, read by them. The rows may be applied by newer rules."""
        rules = position.store
        return rules, list(next_rows(records, row_rules.reader(rules)))

    steps: deque[asyncio.Task[None]] = deque(maxlen=MAX_CONCURRENT_STEPS)
    reading = asyncio.create_task(asyncio.to_thread(read))
    try:
        rules, rows = await job.hold_until(reading)
        while rows:
            reading = asyncio.create_task(asyncio.to_thread(read))
            while rows:
                if len(steps) == steps.maxlen:
                    await steps[0]
                resolved: asyncio.Future[_Position] = asyncio.get_running_loop().create_future()
                step = _apply_step(job, row_rules, position, rules, rows, marks, steps[-1] if steps else None, resolved)
                steps.append(asyncio.create_task(step))
                previous, position = position, await _resolved_position(resolved, steps[-1])
                rows = rows[position.rows_done - previous.rows_done :]
            rules, rows = await job.hold_until(reading)
        for each in steps:
            await each
    finally:
        reading.cancel()  # its rows are not needed any more
        for each in steps:
            each.cancel()
        await asyncio.gather(*steps, return_exceptions=True)


async def _resolved_position(resolved: "asyncio.Future[_Position]", step: "asyncio.Task[None]") -> _Position:
    """Return the position that a step resolves, while the step goes on. Raises what the step raises before that."""
    step.add_done_callback(lambda _: resolved.cancel())
    try:
        return await resolved
    except asyncio.CancelledError:
        if step.done():
            step.result()
        raise


async def _apply_step(
    job: Job,
    row_rules: RowRules,
    position: _Position,
    rules: StoreRules,
    rows: list[Row],
    marks: Marks,
    previous_step: asyncio.Task[None] | None,
    resolved: asyncio.Future[_Position],
) -> None:
    """Apply as many rows as fit in one step, and set the result of `resolved` once the next step may begin.

    That is when this step holds the locks of all its profiles. The next step waits for those that it shares with this
    one, and is committed after this one or not at all.
    """

    async def write(connection: AsyncConnection, store: StoreRules) -> Sequence[Outcome]:
        readings = [row.reading for row in rows]
        if store.revision != rules.revision:
            reader = row_rules.reader(store)
            readings = [row.reading if row.cells is None else reader.read(row.cells) for row in rows]
        attempts = [reading.attempt for reading in readings]
        timed = _timed(job.id, rows, attempts, max(position.time, CLOCK.now()))

        def publish_position(outcomes: Sequence[Outcome]) -> None:
            time = time_after(timed[len(outcomes) - 1])
            resolved.set_result(_Position(store, position.rows_done + len(outcomes), time))

        outcomes = await ingest_together(connection, store, timed, publish_position)
        refused = [
            (row.line, *_column_and_reason(store, row_rules.mapping, outcome))
            for row, outcome in zip(rows, outcomes, strict=False)
            if isinstance(outcome, ProfileLookupError)
        ]
        if previous_step is not None:
            await previous_step
        ignored = [
            (row.line, *cell)
            for row, reading, outcome in zip(rows, readings, outcomes, strict=False)
            if isinstance(outcome, Written)
            for cell in reading.ignored
        ]
        refused_before, ignored_before = job.progress.get("refused", 0), job.progress.get("ignored", 0)
        reports = Reports(_report(refused, refused_before), _report(ignored, ignored_before))
        counts = _counts(outcomes, len(ignored))
        await queries.save_step(connection, job.store_id, job.id, counts, position.rows_done, reports)
        for row, attempt, outcome in zip(rows, attempts, outcomes, strict=False):
            if isinstance(attempt, Change) and isinstance(outcome, Written):
                marks.add(row.line, attempt, outcome)
        await job.save(
            connection,
            rows_done=position.rows_done + len(outcomes),
            refused=refused_before + len(refused),
            ignored=ignored_before + len(ignored),
            time=time_after(timed[len(outcomes) - 1]).isoformat(),
            marks=marks.to_document(),
        )
        return outcomes

    log_evictions(job.store_id, await write_in_step(job, write, job.overlapping_step))


def _timed(
    import_id: UUID, rows: Sequence[Row], attempts: Sequence[Change | RowRefused], time: datetime
) -> list[Attempt]:
    """Give each row's attempt a time, as if requests had come one after the other from `time` on."""
    timed: list[Attempt] = []
    of_import = ids.import_id(import_id)
    for row, attempt in zip(rows, attempts, strict=True):
        timed.append(Attempt(attempt, time, Actor("import", of_import, row.line)))
        time = time_after(timed[-1])
    return timed


def _report(rows: Sequence[Sequence[object]], reported_before: int) -> str:
    """Return the rows as CSV, as far as the import has not reported too many already."""
    return as_csv(rows[: max(MAX_REPORTED - reported_before, 0)])


def _counts(outcomes: Sequence[Outcome], cells_ignored: int) -> queries.RowCounts:
    written = [outcome for outcome in outcomes if isinstance(outcome, Written)]
    how = Counter(outcome.how for outcome in written)
    return queries.RowCounts(
        created=how["created"],
        updated=how["updated"],
        merged=how["merged"],
        refused=sum(isinstance(outcome, ProfileLookupError) for outcome in outcomes),
        cells_ignored=cells_ignored,
        evicted=sum(len(outcome.evicted) for outcome in written),
    )


def _column_and_reason(
    store: StoreRules, mapping: Sequence[MappedColumn], refused: ProfileLookupError
) -> tuple[str | None, str]:
    """Return the column, if a single one is at fault, and the reason."""
    match refused:
        case RowRefused(column=column, reason=reason):
            return column, reason
        case IdentifierConflict(id_type=id_type):
            identifying = identifying_columns(store.trait_groups, store.settings, mapping)
            columns = [column for column, promoted in identifying.items() if promoted == id_type]
            return columns[0] if len(columns) == 1 else None, str(refused)
    return None, str(refused)
