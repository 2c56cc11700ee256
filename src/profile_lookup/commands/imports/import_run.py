"""An import whose file is staged: watch it until it ends, and print its result.

Any worker can do it: that of a service that runs, or this process, which works on imports while it watches one. Only
the holder of the lease does the next step.
"""

import asyncio
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

from sqlalchemy import Row

from profile_lookup.commands.accounts import chosen_account
from profile_lookup.commands.database import open_database
from profile_lookup.commands.errors import CommandError
from profile_lookup.commands.imports import import_report
from profile_lookup.commands.imports.import_report import IGNORED_CELLS, REFUSED_ROWS, ReportPart
from profile_lookup.errors import NotFound
from profile_lookup.garbage_collection import collect_seldom
from profile_lookup.imports import queries
from profile_lookup.imports.refused_rows import HEADER, as_csv, saved_reports
from profile_lookup.jobs.job_handlers import running_worker
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.settings import Settings
from profile_lookup.web import ids

_POLL_INTERVAL = 0.2  # seconds
_KINDS = [OperationKind.DRY_RUN_IMPORT, OperationKind.IMPORT_PROFILES]
NO_ID = UUID(int=0)
"""No store and no import has this ID."""


@dataclass(frozen=True, slots=True)
class Import:
    store_id: UUID
    id: UUID
    is_dry_run: bool = False


def find(settings: Settings, account: str | None, import_id: str) -> Import:
    """Return the import with this ID, whose file must have been uploaded. Raises `CommandError`."""
    row = asyncio.run(fetch_import(settings, account, import_id, "--resume"))
    if row.uploaded_at is None:
        raise CommandError("--resume: expected an import whose file was uploaded")
    return Import(row.store_id, row.id, row.kind == OperationKind.DRY_RUN_IMPORT)


def watch(settings: Settings, watched: Import) -> Row[Any]:
    """Show the progress of the import, and return its row once it has ended.

    If this process is interrupted before that, it prints how to resume the import.
    """
    import_report.say(f"{'Dry run' if watched.is_dry_run else 'Import'} {ids.import_id(watched.id)}")
    collect_seldom()
    try:
        return asyncio.run(_watch(settings, watched))
    except BaseException:
        what = "dry run has not ended yet" if watched.is_dry_run else "import has not ended yet; finished rows stay"
        import_report.say(
            f"The {what}. A service that runs continues it.\n"
            f"To end it where it is: profile-lookup import --cancel {ids.import_id(watched.id)}\n"
            "To watch it, or to continue it without a service: "
            f"profile-lookup import --resume {ids.import_id(watched.id)}"
        )
        raise


def report(settings: Settings, row: Row[Any], refused: Path | None, ignored: Path | None) -> None:
    """Print the result of an import that has ended.

    Write its refused rows and its ignored cells to the paths, if there are any.
    """
    import_report.show_result(row)
    for part, path in ((REFUSED_ROWS, refused), (IGNORED_CELLS, ignored)):
        with nullcontext() if path is None else path.open("w", newline="") as file:
            first = asyncio.run(_write_lines(settings, row, part, file))
        import_report.show_lines(row, part, first, path)


async def _write_lines(settings: Settings, row: Row[Any], part: ReportPart, file: TextIO | None) -> list[list[str]]:
    """Write a part of the report to the file, if there is one, and return its first lines."""
    first: list[list[str]] = []
    if file is not None:
        file.write(as_csv([HEADER]))
    async with open_database(settings) as database:
        async for _, reports in saved_reports(database, row.store_id, row.id):
            lines = part.of(reports)
            first += islice(csv.reader(io.StringIO(lines)), import_report.MAX_SHOWN - len(first))
            if file is not None:
                file.write(lines)
            elif len(first) == import_report.MAX_SHOWN:
                break
    return first


async def fetch_import(settings: Settings, account: str | None, import_id: str, option: str) -> Row[Any]:
    """Return the row of an import, whose ID stands after this option. Raises `CommandError`."""
    uuid = ids.parsed(ids.IMPORT_ID_PATTERN, import_id)
    async with open_database(settings) as database, database.transaction() as connection:
        account_id = await chosen_account(connection, account)
        with explaining_not_found(f"{option}: this account has no such import"):
            store_id = await queries.store_of(connection, account_id, uuid or NO_ID)
            return await queries.fetch(connection, store_id, uuid or NO_ID)


async def _watch(settings: Settings, watched: Import) -> Row[Any]:
    async with open_database(settings) as database, running_worker(settings, _KINDS):
        with import_report.watching() as show:
            while True:
                async with database.statements() as connection:
                    row = await queries.fetch(connection, watched.store_id, watched.id)
                show(row)
                if row.completed_at is not None:
                    return row
                await asyncio.sleep(_POLL_INTERVAL)


@contextmanager
def explaining_not_found(message: str) -> Iterator[None]:
    try:
        yield
    except NotFound:
        raise CommandError(message) from None
