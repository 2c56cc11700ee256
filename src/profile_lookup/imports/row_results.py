"""What came of the rows of a step: its counts, and what the reports say about it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.errors import IdentifierConflict, ProfileLookupError, RowRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.profile_replay import Written
from profile_lookup.imports import queries
from profile_lookup.imports.columns.column_mapping import MappedColumn, identifying_columns
from profile_lookup.imports.notices.findings import Findings
from profile_lookup.imports.refused_rows import MAX_REPORTED, Reports, as_csv
from profile_lookup.imports.row_reader import Reading, Row
from profile_lookup.ingest.attempts import Outcome
from profile_lookup.operations.job import Job
from profile_lookup.stores.rules_cache import StoreRules

ReportLine = tuple[int, str | None, str]
"""A row's line, a column, and a reason."""


@dataclass(frozen=True, slots=True)
class RowResults:
    """The first rows of a step, of which each has an outcome, as they were read."""

    store: StoreRules
    mapping: Sequence[MappedColumn]
    rows: Sequence[Row]
    readings: Sequence[Reading]
    outcomes: Sequence[Outcome]

    def refused(self) -> list[ReportLine]:
        return [
            (row.line, *_column_and_reason(self.store, self.mapping, outcome))
            for row, outcome in zip(self.rows, self.outcomes, strict=False)
            if isinstance(outcome, ProfileLookupError)
        ]

    def ignored(self) -> list[ReportLine]:
        """Return the ignored cells of rows that are applied."""
        return [
            (row.line, *cell)
            for row, reading, outcome in zip(self.rows, self.readings, self.outcomes, strict=False)
            if isinstance(outcome, Written)
            for cell in reading.ignored
        ]

    def add_to(self, findings: Findings) -> None:
        for row, reading, outcome in zip(self.rows, self.readings, self.outcomes, strict=False):
            if isinstance(reading.attempt, Change) and isinstance(outcome, Written):
                findings.add(row.line, reading.attempt, outcome)


async def save_results(
    connection: AsyncConnection, job: Job, results: RowResults, rows_before: int, **progress: Any
) -> None:
    """Save, within a step, the results of rows that follow `rows_before` others, and where to go on."""
    refused, ignored = results.refused(), results.ignored()
    refused_before, ignored_before = job.progress.get("refused", 0), job.progress.get("ignored", 0)
    reports = Reports(_report(refused, refused_before), _report(ignored, ignored_before))
    counts = _counts(results.outcomes, len(ignored))
    await queries.save_step(connection, job.store_id, job.id, counts, rows_before, reports)
    await job.save(
        connection,
        rows_done=rows_before + len(results.outcomes),
        refused=refused_before + len(refused),
        ignored=ignored_before + len(ignored),
        **progress,
    )


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
