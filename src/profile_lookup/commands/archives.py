"""`profile-lookup export` and `restore`: a store is written into a file, and a file back into a store."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.archives.errors import RestoreRefused
from profile_lookup.archives.reader import restore
from profile_lookup.archives.wire.lines import line_of
from profile_lookup.archives.writer import header_of, profiles_of
from profile_lookup.commands.accounts import AccountOption, chosen_account
from profile_lookup.commands.database import configure, open_database, running_database
from profile_lookup.commands.errors import CommandError
from profile_lookup.commands.export_csv import columns_of, csv_lines, most_identifiers
from profile_lookup.database.connections import COMMAND_LIMITS
from profile_lookup.errors import NotFound
from profile_lookup.settings import Settings
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.web import ids

T = TypeVar("T")
Format = Literal["jsonl", "csv"]

StoreOption = Annotated[str, typer.Option("--store", metavar="ID", help="mem_store_…, as `stores list` shows it.")]


def export_store(
    store: StoreOption,
    account: AccountOption = None,
    kind: Annotated[
        Format,
        typer.Option("--format", help="jsonl: everything, for `restore`; csv: the IDs, traits, phones and e-mails."),
    ] = "jsonl",
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="csv: write no byte order mark, and cells as they are, also those that a spreadsheet runs.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="A file that only you may read.", show_default="standard output", dir_okay=False),
    ] = None,
) -> None:
    """Write a store with all its profiles, as they are at one moment."""
    if raw and kind != "csv":
        raise typer.BadParameter("expected --raw together with --format csv")

    async def export(settings: Settings) -> None:
        async with open_database(settings, limits=COMMAND_LIMITS) as database, database.snapshot() as connection:
            found = await rules_in_force(connection, *await _account_and_store(connection, account, store))
            header = await header_of(connection, found)
            if kind == "csv":
                columns = columns_of(found, header, await most_identifiers(connection, found))
                first_line, line_of_profile = csv_lines(columns, is_raw=raw)
            else:
                first_line, line_of_profile = line_of(header), line_of
            with _open_output(output) as file, _progress_bar("Exporting") as show:
                file.write(first_line)
                done = 0
                async for profiles in profiles_of(connection, found):
                    file.writelines(map(line_of_profile, profiles))
                    done += len(profiles)
                    show(done, header.profiles)

    _run_on_store(export)


def restore_store(
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(metavar="FILE", help="A file that `export` wrote; - is standard input.")
    ],
    store: StoreOption,
    account: AccountOption = None,
) -> None:
    """Write an exported store into one that has no profiles: IDs, times and merges become what they were.

    The store gets the settings and trait groups of the file. Everything is restored, or nothing.
    """

    async def restore_from_file(settings: Settings) -> int:
        async with open_database(settings, limits=COMMAND_LIMITS) as database, database.transaction() as connection:
            locked = await lock_rules(connection, *await _account_and_store(connection, account, store))
            with _progress_bar("Restoring") as show:
                return await restore(connection, locked, file, show)

    try:
        profiles = _run_on_store(restore_from_file)
    except RestoreRefused as error:
        raise CommandError(f"Nothing is restored: {error}") from None
    typer.echo(f"Restored {profiles} profiles, and the settings and trait groups of the file.")


def _run_on_store(work: Callable[[Settings], Coroutine[None, None, T]]) -> T:
    with running_database(configure()) as running:
        try:
            return asyncio.run(work(running))
        except NotFound:
            raise CommandError("There is no such store in this account") from None


async def _account_and_store(connection: AsyncConnection, account: str | None, store: str) -> tuple[UUID, UUID]:
    """Return the ID of the account and of the store. Raises `CommandError`."""
    store_id = ids.store_uuid(store)
    if store_id is None:
        raise CommandError("--store: expected mem_store_ and 26 characters")
    return await chosen_account(connection, account), store_id


@contextmanager
def _open_output(path: Path | None) -> Iterator[BinaryIO]:
    """Yield standard output, or a private file that gets its name once it is complete."""
    if path is None:
        yield sys.stdout.buffer
        return
    if path.exists() and not path.is_file():  # a pipe or a device, which no file may replace
        with path.open("wb") as stream:
            yield stream
        return
    part = path.with_name(f"{path.name}.part")
    # It may be left from an export that was killed, or be somebody else's, who could then read what we write.
    part.unlink(missing_ok=True)
    try:
        with open(part, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that takes how many profiles are done, and of how many.

    The bar is on standard error, if that is a terminal.
    """
    console = Console(stderr=True)
    columns = TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
