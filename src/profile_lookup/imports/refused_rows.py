"""The reports of refused rows and ignored cells: where they are and why they do not count, never what they hold."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.pool import Database
from profile_lookup.database.tables import import_refusals
from profile_lookup.imports.files.spreadsheet_marks import marked

HEADER = ("line", "column", "reason")
MAX_REPORTED = 100_000
"""Refused rows, and ignored cells, reported per import; the rest are only counted. Otherwise a file whose rows have two
bytes would give gigabytes of reasons."""


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """Return the rows as lines of CSV. Texts are marked: a column may have a name that a spreadsheet would run."""
    written = io.StringIO()
    csv.writer(written).writerows([marked(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return written.getvalue()


@dataclass(frozen=True, slots=True)
class Reports:
    """What a step reports as lines of CSV: refused rows, and cells of written rows that were ignored."""

    refused_rows: str
    ignored_cells: str


async def save_reports(
    connection: AsyncConnection, store_id: UUID, import_id: UUID, position: int, reports: Reports
) -> None:
    """Save what a step reports, if it does. `position` is unique among the import's reports."""
    if reports.refused_rows or reports.ignored_cells:
        await connection.execute(
            insert(import_refusals).values(
                store_id=store_id,
                import_id=import_id,
                position=position,
                report=reports.refused_rows,
                ignored_cells=reports.ignored_cells,
            )
        )


async def delete_reports(connection: AsyncConnection, store_id: UUID, import_id: UUID) -> None:
    await connection.execute(
        delete(import_refusals).where(import_refusals.c.store_id == store_id, import_refusals.c.import_id == import_id)
    )


async def saved_reports(
    database: Database, store_id: UUID, import_id: UUID, after: int = -1
) -> AsyncIterator[tuple[int, Reports]]:
    """Yield the reports of an import that come after a position, each with its position. No connection is held."""
    position: int | None = after
    while position is not None:
        query = (
            select(import_refusals.c.position, import_refusals.c.report, import_refusals.c.ignored_cells)
            .where(
                import_refusals.c.store_id == store_id,
                import_refusals.c.import_id == import_id,
                import_refusals.c.position > position,
            )
            .order_by(import_refusals.c.position)
            .limit(10)
        )
        async with database.statements() as connection:
            found = (await connection.execute(query)).all()
        for row in found:
            yield row.position, Reports(row.report, row.ignored_cells)
        position = found[-1].position if found else None
