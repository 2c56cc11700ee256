"""`profile-lookup import --cancel` and `--undo`.

An undo is an operation, which the worker of a service does, or this process while it watches it. First, a dry run finds
out what it would do.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import typer
from sqlalchemy import Row

from profile_lookup.commands.database import open_database
from profile_lookup.commands.errors import CommandError
from profile_lookup.commands.imports.import_report import say, show_undo, watching_undo
from profile_lookup.commands.imports.import_run import fetch_import
from profile_lookup.database.pool import Database
from profile_lookup.errors import ImportEnded
from profile_lookup.imports.progress import cancelled_after, wrote_nothing
from profile_lookup.imports.undo.requests import cancel_import, enqueue_undo, unfinished_undo
from profile_lookup.jobs.job_handlers import running_worker
from profile_lookup.operations import queries
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.undo_results import first_reasons
from profile_lookup.settings import Settings
from profile_lookup.web import ids

MAX_REASONS = 10
"""Profiles that are printed with the reason why they are not just what they were; the others are only counted."""

_POLL_INTERVAL = 0.2  # seconds


def cancel(settings: Settings, account: str | None, import_id: str) -> None:
    """Cancel an import that has not ended, and print how far it was. Raises `CommandError`."""
    asyncio.run(_cancel(settings, account, import_id))


async def _cancel(settings: Settings, account: str | None, import_id: str) -> None:
    row = await fetch_import(settings, account, import_id, "--cancel")
    async with open_database(settings) as database:
        try:
            row = await cancel_import(database, row.store_id, row.id)
        except ImportEnded:
            advice = "" if wrote_nothing(row) else "; --undo takes back what it did"
            raise CommandError(f"--cancel: the import has ended already{advice}") from None
    if wrote_nothing(row):
        say(f"{cancelled_after(row)}. It has written nothing.")
        return
    say(f"{cancelled_after(row)}. What these rows wrote stays.")
    say(f"To take it back: profile-lookup import --undo {ids.import_id(row.id)}")


def undo(settings: Settings, account: str | None, import_id: str, *, confirmed: bool) -> None:
    """Undo an import after showing what that will do. An undo that was interrupted is continued without a question.

    Raises `CommandError`, `typer.Abort`, or `typer.Exit` if the operation failed.
    """
    row = asyncio.run(fetch_import(settings, account, import_id, "--undo"))
    if row.completed_at is None:
        raise CommandError("--undo: the import has not ended yet; end it with --cancel, or go on with --resume")
    if wrote_nothing(row):
        say("This import has written nothing, so there is nothing to undo.")
        return
    begun = asyncio.run(_unfinished(settings, row))
    if begun is None:
        say(
            "What the undo would do. People whom only the import made are erased, those whom it joined are split, and "
            "others whom it changed are restored. Who is left stays as it is:"
        )
        tried = asyncio.run(_done(settings, row, None, is_dry_run=True))
        if not _show(tried):
            say("Nothing is left of this import.")
            return
        if not confirmed:
            typer.confirm("Undo this import?", abort=True)
    try:
        done = asyncio.run(_done(settings, row, begun, is_dry_run=False))
    except BaseException:
        say(
            "The undo has not ended yet; what is undone stays so. A service that runs continues it.\n"
            f"To continue it without a service: profile-lookup import --undo {ids.import_id(row.id)}"
        )
        raise
    _show(done)
    say("The import is undone.")


async def _unfinished(settings: Settings, row: Row[Any]) -> UUID | None:
    async with open_database(settings) as database, database.statements() as connection:
        return await unfinished_undo(connection, row.account_id, row.id)


async def _done(settings: Settings, row: Row[Any], begun: UUID | None, *, is_dry_run: bool) -> "_Done":
    """Do the undo, or go on with the one that has begun, and show its progress."""
    async with open_database(settings) as database, running_worker(settings, [OperationKind.UNDO_IMPORT]):
        if begun is None:
            async with database.transaction() as connection:
                begun = await enqueue_undo(connection, row.store_id, row.id, is_dry_run=is_dry_run)
        ended = await _ended(database, row.account_id, begun)
        async with database.statements() as connection:
            return _Done(ended, await first_reasons(connection, row.account_id, begun, MAX_REASONS))


class _Done(NamedTuple):
    """An operation that has ended, and its first results that have a reason."""

    operation: Row[Any]
    reasons: Sequence[Row[Any]]


def _show(done: _Done) -> bool:
    """Show what an undo did, or would do, and return whether that is anything. Raises `typer.Exit` if it failed."""
    operation = done.operation
    if operation.status != "COMPLETED":
        say(f"FAILED: {operation.error_detail}")
        raise typer.Exit(1)
    reasons = [(ids.profile_id(each.profile_ids[0]), each.reason) for each in done.reasons]
    show_undo(operation.progress["counts"], reasons)
    return bool(operation.progress["results"])


async def _ended(database: Database, account_id: UUID, operation_id: UUID) -> Row[Any]:
    """Show the progress of the operation until it has ended, and return its row."""
    with watching_undo() as show:
        while True:
            async with database.statements() as connection:
                found = await queries.find(connection, account_id, operation_id)
            assert found is not None  # it is kept for days
            show(found.progress.get("counts", {}))
            if found.completed_at is not None:
                return found
            await asyncio.sleep(_POLL_INTERVAL)
