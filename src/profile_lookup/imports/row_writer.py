"""Applies an import's rows, some hundreds per step; each row is resolved like a create.

While PostgreSQL writes the rows of one step, the rows of the next step are resolved, and a thread reads those after
them; no more of the file is in memory. A step applies its rows, saves which were refused and where to go on, and is
committed after the step before it. So each row is applied exactly once, by whatever worker.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.errors import RowRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.profile_replay import Written
from profile_lookup.imports.files.csv_records import Record
from profile_lookup.imports.notices.findings import Findings
from profile_lookup.imports.row_reader import Row, next_rows
from profile_lookup.imports.row_results import RowResults, save_results
from profile_lookup.imports.row_rules import RowRules
from profile_lookup.ingest.attempts import Attempt, Outcome, time_after
from profile_lookup.ingest.committed_writes import note_committed
from profile_lookup.ingest.identity_locks import write_in_step
from profile_lookup.ingest.ingest import ingest_together
from profile_lookup.metrics.catalogue import BLOCKED_VALUES, IMPORT_ROWS
from profile_lookup.metrics.id_types import id_type_label
from profile_lookup.operations.job import Job
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids

MAX_CONCURRENT_STEPS = 2

ReadRecords = Callable[[int], Iterator[Record]]
"""Begins to read the rows of a file, without the first ones, of which it takes the number."""


@dataclass(frozen=True, slots=True)
class _Position:
    """Where an import is: the rules that the last rows were resolved by, the rows done, and the next row's time."""

    store: StoreRules
    rows_done: int
    time: datetime


async def apply_rows(job: Job, row_rules: RowRules, read_records: ReadRecords, rows_done: int, time: datetime) -> None:
    """Apply the records after the first `rows_done`, which are done already. No row gets an earlier time than `time`.

    Raises `TraitsRefused`, when the mapping does not fit the store's traits any more.
    """
    async with job.step() as connection:
        store = await rules_in_force(connection, job.account_id, job.store_id)
    row_rules.reader(store)
    records = read_records(rows_done)
    position = _Position(store, rows_done, time)
    findings = Findings(job.progress)

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
                step = _apply_step(
                    job, row_rules, position, rules, rows, findings, steps[-1] if steps else None, resolved
                )
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
    findings: Findings,
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
        timed = timed_attempts(job.id, rows, attempts, max(position.time, CLOCK.now()))

        def publish_position(outcomes: Sequence[Outcome]) -> None:
            time = time_after(timed[len(outcomes) - 1])
            resolved.set_result(_Position(store, position.rows_done + len(outcomes), time))

        outcomes = await ingest_together(connection, store, timed, publish_position)
        if previous_step is not None:
            await previous_step
        results = RowResults(store, row_rules.mapping, rows, readings, outcomes)
        results.add_to(findings)
        time = time_after(timed[len(outcomes) - 1])
        progress = {"time": time.isoformat(), **findings.to_progress()}
        await save_results(connection, job, results, position.rows_done, **progress)
        return outcomes

    outcomes = await write_in_step(job, write, job.overlapping_step)
    note_committed(job.store_id, outcomes)
    _count(rows, outcomes)


def _count(rows: Sequence[Row], outcomes: Sequence[Outcome]) -> None:
    """Count rows whose step was committed, for metrics."""
    for row, outcome in zip(rows, outcomes, strict=False):
        IMPORT_ROWS.add(outcome.how if isinstance(outcome, Written) else "refused")
        if isinstance(row.reading.attempt, Change):
            for blocked in row.reading.attempt.blocked:
                BLOCKED_VALUES.add(id_type_label(blocked.id_type))


def timed_attempts(
    import_id: UUID, rows: Sequence[Row], attempts: Sequence[Change | RowRefused], time: datetime
) -> list[Attempt]:
    """Give each row's attempt a time, as if requests had come one after the other from `time` on."""
    timed: list[Attempt] = []
    of_import = ids.import_id(import_id)
    for row, attempt in zip(rows, attempts, strict=True):
        timed.append(Attempt(attempt, time, Actor("import", of_import, row.line)))
        time = time_after(timed[-1])
    return timed
