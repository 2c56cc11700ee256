"""The beginning of an import of a file on this machine: it is shown how the file is read, and the file is staged.

The file is staged in the database as an upload is, so that any worker can import it.
"""

import asyncio
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import typer

from profile_lookup.clock import CLOCK
from profile_lookup.commands.accounts import chosen_account
from profile_lookup.commands.database import open_database
from profile_lookup.commands.errors import CommandError
from profile_lookup.commands.imports import import_report, plan_report
from profile_lookup.commands.imports.import_plan import Plan, planned
from profile_lookup.commands.imports.import_run import NO_ID, Import, explaining_not_found
from profile_lookup.identity.profile import TraitName
from profile_lookup.imports import queries
from profile_lookup.imports.columns.wire import ColumnMapping
from profile_lookup.imports.dry_runs.first_rows import PreviewedRow, preview_rows
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.files.layout import rows_of
from profile_lookup.imports.files.workbook import is_workbook, write_sheet_as_csv
from profile_lookup.imports.row_rules import RowRules
from profile_lookup.imports.uploads import scratch_file
from profile_lookup.settings import Settings
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids

MAX_FILE_SIZE = (1 << 31) - 1  # bytes; over HTTP it is the contract's 100 MiB
STAGING_TIME = timedelta(hours=1)  # more than staging takes


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
        plan_report.show_plan(plan)
        plan_report.show_preview(asyncio.run(_preview(settings, store, file, plan, options)))
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
        plan_report.show_sheet(write_sheet_as_csv(file, choices.sheet, converted))
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
        with explaining_not_found("--store: this account has no such store"):
            return await rules_in_force(connection, account_id, uuid or NO_ID)


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
            column_mappings=[ColumnMapping.of_domain(each).model_dump(by_alias=True) for each in plan.mapping],
            created_at=now,
            upload_until=now + STAGING_TIME,
            waits_until=now + STAGING_TIME,
            options=replace(options, delimiter=plan.layout.delimiter),
            is_dry_run=is_dry_run,
        )
        await queries.keep_file(connection, store.id, import_id, file)
    return import_id
