"""The import of a file that somebody has here, and who watches it.

It is staged in the database as an upload is, so that any worker can do it: that of a service which runs, or this
process, which works on imports as long as it watches one. Who has the lease does the next step, and nobody else.
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
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from uuid import UUID

import typer
from sqlalchemy import Row

from profile_lookup.commands import import_report
from profile_lookup.commands.accounts import chosen_account
from profile_lookup.commands.database import connected
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
from profile_lookup.stores.admission import in_force
from profile_lookup.stores.rules_cache import Store
from profile_lookup.web import ids

MAX_FILE_SIZE = (1 << 31) - 1  # bytes; over HTTP it is the contract's 100 MiB
STAGING_TIME = timedelta(hours=1)  # more than it takes
_LOOK = 0.2  # seconds
_NOTHING = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Import:
    store_id: UUID
    id: UUID


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a file is going to be read."""

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
    """Stage the file, as what it is shown to be. Raises `CommandError`, `FileRefused`, `typer.Abort`: nothing is left.

    `named`: what columns are; None leaves one out.
    """
    store = asyncio.run(_store(settings, account, store_id))
    with path.open("rb") as file:
        plan = _plan(store, file, named, delimiter)
        import_report.show_mapping(plan.header, plan.mapping)
        _refuse(store, plan)
        if not confirmed and sys.stdin.isatty():
            typer.confirm("Import it so?", abort=True)
        return Import(store.id, asyncio.run(_stage(settings, store, file, path.name, plan)))


def find(settings: Settings, account: str | None, import_id: str) -> Import:
    """Raises `CommandError`."""
    row = asyncio.run(_import(settings, account, import_id))
    if row.uploaded_at is None:
        raise CommandError("--resume: expected an import whose file is there")
    return Import(row.store_id, row.id)


def watch(settings: Settings, what: Import) -> Row[Any]:
    """Until it has ended. If we end before, it can be resumed, and we say how."""
    import_report.say(f"Import {ids.import_id(what.id)}")
    collect_seldom()
    try:
        return asyncio.run(_watch(settings, what))
    except BaseException:
        import_report.say(
            "Not at its end yet; what is done is done. A service that runs goes on with it.\n"
            f"To watch it, or to go on without one: profile-lookup import --resume {ids.import_id(what.id)}"
        )
        raise


def report(settings: Settings, row: Row[Any], path: Path | None) -> None:
    """What became of it. Which rows were refused, and why, goes to the path, and the first ones to who watches."""
    import_report.show_end(row)
    with nullcontext() if path is None else path.open("w", newline="") as file:
        first = asyncio.run(_refusals(settings, row, file))
    import_report.show_refused(row, first, path)


async def _refusals(settings: Settings, row: Row[Any], file: TextIO | None) -> list[list[str]]:
    """The first ones; all of them into the file."""
    first: list[list[str]] = []
    if file is not None:
        file.write(as_csv([HEADER]))
    async with connected(settings) as database:
        async for lines in queries.refusals(database, row.store_id, row.id):
            first += islice(csv.reader(io.StringIO(lines)), import_report.SHOWN - len(first))
            if file is not None:
                file.write(lines)
            elif len(first) == import_report.SHOWN:
                break
    return first


def _plan(store: Store, file: BinaryIO, named: Mapping[str, TraitName | None], delimiter: str | None) -> _Plan:
    """By the delimiter that finds most, if none is named."""
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
            there = [each for each in plan.header if looks_like_a_name(each)] or ["nothing that looks like a name"]
            raise CommandError(f"--map: expected columns that the header has, once; it has {', '.join(there)}")
        if trait is not None and str(trait) not in traits:
            raise CommandError(f"--map: there is no trait {trait}; expected one of {', '.join(sorted(traits))}")
    return plan


def _refuse(store: Store, plan: _Plan) -> None:
    """A mapping by which no row could be read."""
    try:
        refuse_mapping(store.trait_groups, store.settings, plan.mapping)
    except (RequestRefused, TraitsRefused) as refused:
        raise CommandError(f"--map{str(refused).removeprefix('columnMappings')}") from None
    if any(len(each.column) > wire.MAX_NAME for each in plan.mapping):
        raise CommandError(f"--map: expected columns of at most {wire.MAX_NAME} characters")


async def _store(settings: Settings, account: str | None, store_id: str) -> Store:
    uuid = ids.decoded(store_id) if ids.is_well_formed(ids.STORE_ID_PATTERN, store_id) else None
    async with connected(settings) as database, database.transaction() as connection:
        account_id = await chosen_account(connection, account)
        with _told("--store: this account has no such store"):
            return await in_force(connection, account_id, uuid or _NOTHING)


async def _import(settings: Settings, account: str | None, import_id: str) -> Row[Any]:
    uuid = ids.decoded(import_id) if ids.is_well_formed(ids.IMPORT_ID_PATTERN, import_id) else None
    async with connected(settings) as database, database.transaction() as connection:
        account_id = await chosen_account(connection, account)
        with _told("--resume: this account has no such import"):
            store_id = await queries.store_of(connection, account_id, uuid or _NOTHING)
            return await queries.fetch(connection, store_id, uuid or _NOTHING)


async def _stage(settings: Settings, store: Store, file: BinaryIO, name: str, plan: _Plan) -> UUID:
    """The whole file, or nothing of it."""
    now = datetime.now(UTC)
    async with connected(settings) as database, database.transaction() as connection:
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


async def _watch(settings: Settings, what: Import) -> Row[Any]:
    async with connected(settings) as database, running_worker(settings, [OperationKind.IMPORT_PROFILES]):
        with import_report.watching() as show:
            while True:
                async with database.statements() as connection:
                    row = await queries.fetch(connection, what.store_id, what.id)
                show(row)
                if row.completed_at is not None:
                    return row
                await asyncio.sleep(_LOOK)


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except NotFound:
        raise CommandError(what) from None
