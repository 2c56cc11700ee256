"""An import of a file on this machine: stage it, watch it until it ends, and print its result.

The file is staged in the database as an upload is, so that any worker can import it: the worker of a service that
runs, or this process, which works on imports while it watches one. Only the holder of the lease does the next step.
"""

import asyncio
import csv
import io
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from uuid import UUID

import typer
from sqlalchemy import Row

from profile_lookup.clock import CLOCK
from profile_lookup.commands import import_report
from profile_lookup.commands.accounts import chosen_account
from profile_lookup.commands.database import open_database
from profile_lookup.commands.errors import CommandError
from profile_lookup.commands.import_plan import Plan, planned
from profile_lookup.commands.import_report import IGNORED_CELLS, REFUSED_ROWS, ReportPart
from profile_lookup.errors import NotFound
from profile_lookup.garbage_collection import collect_seldom
from profile_lookup.identity.profile import TraitName
from profile_lookup.imports import queries, wire
from profile_lookup.imports.dry_runs.first_rows import PreviewedRow, preview_rows
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.files.layout import rows_of
from profile_lookup.imports.files.workbook import is_workbook, write_sheet_as_csv
from profile_lookup.imports.refused_rows import HEADER, as_csv, saved_reports
from profile_lookup.imports.row_rules import RowRules
from profile_lookup.imports.uploads import scratch_file
from profile_lookup.jobs.job_handlers import running_worker
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.settings import Settings
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids

MAX_FILE_SIZE = (1 << 31) - 1  # bytes; over HTTP it is the contract's 100 MiB
STAGING_TIME = timedelta(hours=1)  # more than staging takes
_POLL_INTERVAL = 0.2  # seconds
_KINDS = [OperationKind.DRY_RUN_IMPORT, OperationKind.IMPORT_PROFILES]
_NO_ID = UUID(int=0)
"""No store and no import has this ID."""


@dataclass(frozen=True, slots=True)
class Import:
    store_id: UUID
    id: UUID
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person said about a file.

    - `named`: the traits of columns; None leaves a column out
    - `sheet`: that of a workbook; None is the first one that is not hidden and not empty
    - `confirmed`: whether the mapping is correct without a question
    - `is_dry_run`: whether nothing is to be imported, so that there is no question either
    """

    named: Mapping[str, TraitName | None] = field(default_factory=dict)
    options: ImportOptions = field(default_factory=ImportOptions)
    sheet: str | None = None
    confirmed: bool = False
    is_dry_run: bool = False


def begin(settings: Settings, path: Path, store_id: str, account: str | None, choices: Choices) -> Import:
    """Stage the file after showing how it will be read.

    Raises `CommandError`, `FileRefused` or `typer.Abort`; then nothing was staged.
    """
    store = asyncio.run(_find_store(settings, account, store_id))
    with path.open("rb") as opened, _as_csv(settings, opened, choices) as (file, options):
        plan = planned(store, file, choices.named, options)
        import_report.show_plan(plan)
        import_report.show_preview(asyncio.run(_preview(settings, store, file, plan, options)))
        if not choices.is_dry_run:
            _confirm(plan, choices)
        import_id = asyncio.run(_stage(settings, store, file, path.name, plan, options, is_dry_run=choices.is_dry_run))
        return Import(store.id, import_id, choices.is_dry_run)


def _confirm(plan: Plan, choices: Choices) -> None:
    """Ask whether the mapping is correct. Raises `typer.Abort`, or `CommandError` if nobody is there to decide."""
    if choices.confirmed or not sys.stdin.isatty():
        _refuse_unclear_columns(plan.unclear_columns)
    else:
        typer.confirm("Import the file like this?", abort=True)


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
        async for reports in saved_reports(database, row.store_id, row.id):
            lines = part.of(reports)
            first += islice(csv.reader(io.StringIO(lines)), import_report.MAX_SHOWN - len(first))
            if file is not None:
                file.write(lines)
            elif len(first) == import_report.MAX_SHOWN:
                break
    return first


@contextmanager
def _as_csv(settings: Settings, file: BinaryIO, choices: Choices) -> Iterator[tuple[BinaryIO, ImportOptions]]:
    """Yield a CSV file and how it is written: the file itself, or what a sheet of a workbook holds."""
    _refuse_odd_file(file)
    if not is_workbook(file):
        if choices.sheet is not None:
            raise CommandError("--sheet: expected a workbook (.xlsx)")
        yield file, choices.options
        return
    with scratch_file(settings.upload_directory) as converted:
        import_report.show_sheet(write_sheet_as_csv(file, choices.sheet, converted))
        yield converted, replace(choices.options, delimiter=",", encoding="utf-8")


def _refuse_odd_file(file: BinaryIO) -> None:
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_SIZE:
        raise CommandError(f"FILE: expected a regular file of at most {MAX_FILE_SIZE} bytes")


def _refuse_unclear_columns(columns: Sequence[str]) -> None:
    """Raise `CommandError` if columns would be left out though they seem to hold phone numbers or e-mail addresses."""
    if not columns:
        return
    shown = [import_report.printable(each) for each in columns]
    advice = 'Say for each what it holds, --map "{0}=Contact.phone" or --map "{0}=Contact.email", or --leave-out "{0}"'
    if import_report.NO_NAME in shown:
        advice = "First give each column a short name in the file"
    raise CommandError(
        "nothing was imported, since these columns would be left out, but seem to hold phone numbers or e-mail "
        f"addresses: {', '.join(shown)}. {advice.format(shown[0])}"
    )


async def _find_store(settings: Settings, account: str | None, store_id: str) -> StoreRules:
    uuid = ids.store_uuid(store_id)
    async with open_database(settings) as database, database.transaction() as connection:
        account_id = await chosen_account(connection, account)
        with _explaining_not_found("--store: this account has no such store"):
            return await rules_in_force(connection, account_id, uuid or _NO_ID)


async def fetch_import(settings: Settings, account: str | None, import_id: str, option: str) -> Row[Any]:
    """Return the row of an import, whose ID stands after this option. Raises `CommandError`."""
    uuid = ids.decoded(import_id) if ids.is_well_formed(ids.IMPORT_ID_PATTERN, import_id) else None
    async with open_database(settings) as database, database.transaction() as connection:
        account_id = await chosen_account(connection, account)
        with _explaining_not_found(f"{option}: this account has no such import"):
            store_id = await queries.store_of(connection, account_id, uuid or _NO_ID)
            return await queries.fetch(connection, store_id, uuid or _NO_ID)


async def _preview(
    settings: Settings, store: StoreRules, file: BinaryIO, plan: Plan, options: ImportOptions
) -> list[PreviewedRow]:
    """Return what would become of the first rows."""
    records = islice(rows_of(file, plan.layout), import_report.MAX_SHOWN)
    async with open_database(settings) as database, database.snapshot() as connection:
        return await preview_rows(connection, store, RowRules(plan.mapping, plan.layout, options), records)


async def _stage(
    settings: Settings,
    store: StoreRules,
    file: BinaryIO,
    name: str,
    plan: Plan,
    options: ImportOptions,
    *,
    is_dry_run: bool,
) -> UUID:
    """Store the import and its whole file, in one transaction, and return the import's ID."""
    now = CLOCK.now()
    async with open_database(settings) as database, database.transaction() as connection:
        import_id = await queries.create(
            connection,
            store.account_id,
            store.id,
            filename=os.fsencode(name).decode(errors="replace"),
            file_size=os.fstat(file.fileno()).st_size,
            column_mappings=[wire.ColumnMapping.of_domain(each).model_dump(by_alias=True) for each in plan.mapping],
            created_at=now,
            upload_until=now + STAGING_TIME,
            waits_until=now + STAGING_TIME,
            options=replace(options, delimiter=plan.layout.delimiter),
            is_dry_run=is_dry_run,
        )
        await queries.keep_file(connection, store.id, import_id, file)
    return import_id


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
def _explaining_not_found(message: str) -> Iterator[None]:
    try:
        yield
    except NotFound:
        raise CommandError(message) from None
