"""Goes through the rows of an import as if they were applied, and saves what would come of them.

Each row is resolved by the code that an import uses, upon an overlay of the store instead of the store itself. So
nothing is written but the import's own counts and reports. The overlay is lost with its connection: a dry run that is
interrupted begins anew, and so does one whose store gets other rules.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.imports import queries
from profile_lookup.imports.dry_runs.overlay import Overlay
from profile_lookup.imports.files.csv_records import Record
from profile_lookup.imports.notices.findings import Findings
from profile_lookup.imports.row_reader import Row, next_rows
from profile_lookup.imports.row_results import RowResults, save_results
from profile_lookup.imports.row_rules import RowRules
from profile_lookup.imports.row_writer import ReadRecords, timed_attempts
from profile_lookup.ingest.attempts import resolve_together, time_after
from profile_lookup.operations.job import Job
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_cache import StoreRules


class _RulesChanged(Exception):
    """The store's rules are not those with which the dry run began."""


async def dry_run_rows(job: Job, row_rules: RowRules, records: ReadRecords, _rows_done: int, time: datetime) -> None:
    """Go through all rows, whatever rows were gone through before. No row gets an earlier time than `time`.

    Raises `StoreNotFound`, or `TraitsRefused` when the mapping does not fit the store's traits any more.
    """
    while True:
        async with job.step() as connection:
            store = await rules_in_force(connection, job.account_id, job.store_id)
            await queries.begin_anew(connection, job.store_id, job.id)
            await job.save(connection)
        try:
            async with job.session() as connection:
                run = await _DryRun.begin(job, row_rules, store, connection, time)
                await run.go_through(records(0))
                return
        except _RulesChanged:
            continue


@dataclass(slots=True)
class _DryRun:
    """A dry run that has gone through `rows_done` rows. The next one gets `time`."""

    job: Job
    row_rules: RowRules
    store: StoreRules
    connection: AsyncConnection
    overlay: Overlay
    findings: Findings
    time: datetime
    rows_done: int = 0

    @classmethod
    async def begin(
        cls, job: Job, row_rules: RowRules, store: StoreRules, connection: AsyncConnection, time: datetime
    ) -> "_DryRun":
        overlay = Overlay(connection, store)
        async with connection.begin():
            await overlay.create()
        return cls(job, row_rules, store, connection, overlay, Findings({}), time)

    async def go_through(self, records: Iterator[Record]) -> None:
        """Go through the rows, some hundreds at a time, while a thread reads those after them."""
        reader = self.row_rules.reader(self.store)

        def read() -> list[Row]:
            return list(next_rows(records, reader))

        reading = asyncio.create_task(asyncio.to_thread(read))
        try:
            while rows := await self.job.hold_until(reading):
                reading = asyncio.create_task(asyncio.to_thread(read))
                while rows:
                    rows = rows[await self._resolve(rows) :]
        except _RulesChanged:
            await reading  # the thread must not read on while the file is read from its beginning
            raise
        finally:
            reading.cancel()

    async def _resolve(self, rows: list[Row]) -> int:
        """Resolve as many rows as fit together, save what would come of them, and return how many they are."""
        readings = [row.reading for row in rows]
        attempts = [reading.attempt for reading in readings]
        timed = timed_attempts(self.job.id, rows, attempts, max(self.time, CLOCK.now()))
        async with self.connection.begin():
            rules = await rules_in_force(self.connection, self.job.account_id, self.job.store_id)
            if rules.revision != self.store.revision:
                raise _RulesChanged
            resolved = await resolve_together(self.store, timed, self.overlay.gather)
            await self.overlay.add(resolved)
        outcomes = resolved.outcomes
        results = RowResults(self.store, self.row_rules.mapping, rows, readings, outcomes)
        results.add_to(self.findings)
        async with self.job.step() as connection:
            await save_results(connection, self.job, results, self.rows_done, **self.findings.to_progress())
        self.time = time_after(timed[len(outcomes) - 1])
        self.rows_done += len(outcomes)
        return len(outcomes)
