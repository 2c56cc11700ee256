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
from dataclasses import dataclass
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
from profile_lookup.errors import NotFound, RequestRefused, TraitsRefused
from profile_lookup.garbage_collection import collect_seldom
from profile_lookup.identity.profile import TraitName
from profile_lookup.imports import queries, wire
from profile_lookup.imports.column_guesses import complete_mapping, looks_like_a_name
from profile_lookup.imports.column_mapping import MappedColumn, refuse_mapping
from profile_lookup.imports.csv_file import DELIMITERS, headers_of, refuse_unreadable
from profile_lookup.imports.refused_rows import HEADER, as_csv
from profile_lookup.jobs.job_handlers import running_worker
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.settings import Settings
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids

MAX_FILE_SIZE = (1 << 31) - 1  # bytes; over HTTP it is the contract's 100 MiB
STAGING_TIME = timedelta(hours=1)  # more than staging takes
_POLL_INTERVAL = 0.2  # seconds
_NO_ID = UUID(int=0)
"""No store and no import has this ID."""


@dataclass(frozen=True, slots=True)
class Import:
    store_id: UUID
    id: UUID


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the file is read."""

    delimiter: str
    header: Sequence[str]
    mapping: Sequence[MappedColumn]


def begin(
    settings: Settings,
    path: Path,
    store_id: str,
    account: str | None,
    named: Mapping[str, TraitName | None],
    delimiter: str | None,
    *,
    confirmed: bool,
) -> Import:
    """Stage the file after showing how it will be read.

    `named` holds the traits of columns; None leaves a column out. Raises `CommandError`, `FileRefused` or
    `typer.Abort`; then nothing was staged.
    """
    store = asyncio.run(_find_store(settings, account, store_id))
    with path.open("rb") as file:
        plan = _planned(store, file, named, delimiter)
        import_report.show_mapping(plan.header, plan.mapping)
        _refuse_unusable(store, plan)
        if not confirmed and sys.stdin.isatty():
            typer.confirm("Import it so?", abort=True)
        return Import(store.id, asyncio.run(_stage(settings, store, file, path.name, plan)))


def find(settings: Settings, account: str | None, import_id: str) -> Import:
    """Return the import with this ID, whose file must have been uploaded. Raises `CommandError`."""
    row = asyncio.run(_fetch_import(settings, account, import_id))
    if row.uploaded_at is None:
        raise CommandError("--resume: expected an import whose file was uploaded")
    return Import(row.store_id, row.id)


def watch(settings: Settings, watched: Import) -> Row[Any]:
    """Show the progress of the import, and return its row once it has ended.

    If this process is interrupted before that, it prints how to resume the import.
    """
    import_report.say(f"Import {ids.import_id(watched.id)}")
    collect_seldom()
    try:
        return asyncio.run(_watch(settings, watched))
    except BaseException:
        import_report.say(
            "The import has not ended yet; finished rows stay. A service that runs continues it.\n"
            "To watch it, or to continue it without a service: "
            f"profile-lookup import --resume {ids.import_id(watched.id)}"
        )
        raise


def report(settings: Settings, row: Row[Any], path: Path | None) -> None:
    """Print the result of an import that has ended, and write the refused rows to the path, if there is one."""
    import_report.show_result(row)
    with nullcontext() if path is None else path.open("w", newline="") as file:
        first = asyncio.run(_write_refused_rows(settings, row, file))
    import_report.show_refused(row, first, path)


async def _write_refused_rows(settings: Settings, row: Row[Any], file: TextIO | None) -> list[list[str]]:
    """Write all refused rows to the file, if there is one, and return the first of them."""
    first: list[list[str]] = []
    if file is not None:
        file.write(as_csv([HEADER]))
    async with open_database(settings) as database:
        async for lines in queries.refusals(database, row.store_id, row.id):
            first += islice(csv.reader(io.StringIO(lines)), import_report.MAX_SHOWN - len(first))
            if file is not None:
                file.write(lines)
            elif len(first) == import_report.MAX_SHOWN:
                break
    return first


def _planned(store: StoreRules, file: BinaryIO, named: Mapping[str, TraitName | None], delimiter: str | None) -> _Plan:
    """Return how to read the file. If no delimiter is named, it is the one by which most columns are understood."""
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_SIZE:
        raise CommandError(f"FILE: expected a regular file of at most {MAX_FILE_SIZE} bytes")
    refuse_unreadable(file)
    _, headers = headers_of(file, DELIMITERS if delimiter is None else (delimiter,))
    plans = [
        _Plan(each, header, complete_mapping(store.trait_groups, header, named)) for each, header in headers.items()
    ]
    plan = max(plans, key=lambda plan: (len({*named} & {*plan.header}), len(plan.mapping), len(plan.header)))
    traits = {str(TraitName(group.name, name)) for group in store.trait_groups.values() for name in group.traits}
    for column, trait in named.items():
        if plan.header.count(column) != 1:
            known = [each for each in plan.header if looks_like_a_name(each)] or ["nothing that looks like a name"]
            raise CommandError(f"--map: expected columns that the header has, once; it has {', '.join(known)}")
        if trait is not None and str(trait) not in traits:
            raise CommandError(f"--map: there is no trait {trait}; expected one of {', '.join(sorted(traits))}")
    return plan


def _refuse_unusable(store: StoreRules, plan: _Plan) -> None:
    """Raise `CommandError` if no row could be imported by the mapping."""
    try:
        refuse_mapping(store.trait_groups, store.settings, plan.mapping)
    except (RequestRefused, TraitsRefused) as refused:
        raise CommandError(f"--map{str(refused).removeprefix('columnMappings')}") from None
    if any(len(each.column) > wire.MAX_NAME for each in plan.mapping):
        raise CommandError(f"--map: expected columns of at most {wire.MAX_NAME} characters")


async def _find_store(settings: Settings, account: str | None, store_id: str) -> StoreRules:
    uuid = ids.store_uuid(store_id)
    async with open_database(settings) as database, database.transaction() as connection:
        account_id = await chosen_account(connection, account)
        with _explaining_not_found("--store: this account has no such store"):
            return await rules_in_force(connection, account_id, uuid or _NO_ID)


async def _fetch_import(settings: Settings, account: str | None, import_id: str) -> Row[Any]:
    uuid = ids.decoded(import_id) if ids.is_well_formed(ids.IMPORT_ID_PATTERN, import_id) else None
    async with open_database(settings) as database, database.transaction() as connection:
        account_id = await chosen_account(connection, account)
        with _explaining_not_found("--resume: this account has no such import"):
            store_id = await queries.store_of(connection, account_id, uuid or _NO_ID)
            return await queries.fetch(connection, store_id, uuid or _NO_ID)


async def _stage(settings: Settings, store: StoreRules, file: BinaryIO, name: str, plan: _Plan) -> UUID:
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
            delimiter=plan.delimiter,
        )
        await queries.keep_file(connection, store.id, import_id, file)
    return import_id


async def _watch(settings: Settings, watched: Import) -> Row[Any]:
    async with open_database(settings) as database, running_worker(settings, [OperationKind.IMPORT_PROFILES]):
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
