"""`profile-lookup export` and `restore`: a store into a file, and back."""

import asyncio
import csv
import io
import json
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, TypeVar
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.archives.reader import RestoreRefused, restore
from profile_lookup.archives.wire import ArchivedProfile, ArchiveHeader, line_of
from profile_lookup.archives.writer import header_of, profiles_of
from profile_lookup.commands.accounts import AccountOption, chosen_account
from profile_lookup.commands.database import configured, connected, database_running
from profile_lookup.commands.errors import CommandError
from profile_lookup.errors import NotFound
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.settings import Settings
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.web import ids

Result = TypeVar("Result")
Format = Literal["jsonl", "csv"]
LineOf = Callable[[ArchivedProfile], bytes]

StoreOption = Annotated[str, typer.Option("--store", metavar="ID", help="mem_store_…, as `stores list` shows it.")]


def export_store(
    store: StoreOption,
    account: AccountOption = None,
    kind: Annotated[
        Format,
        typer.Option("--format", help="jsonl: all that is known, for `restore`; csv: the traits alone."),
    ] = "jsonl",
    output: Annotated[
        Path | None,
        typer.Option(help="A file that only you may read.", show_default="standard output", dir_okay=False),
    ] = None,
) -> None:
    """Write out a store with all its profiles, as they are at one moment."""

    async def export(settings: Settings) -> None:
        async with connected(settings, command_timeout=None) as database, database.snapshot() as connection:
            found = await rules_in_force(connection, *await _named(connection, account, store))
            header = await header_of(connection, found)
            first_line, profile_line = _LINES[kind](header)
            with _written(output) as file, _progress("Exporting") as show:
                file.write(first_line)
                done = 0
                async for profiles in profiles_of(connection, found):
                    file.writelines(map(profile_line, profiles))
                    done += len(profiles)
                    show(done, header.profiles)

    _run(export)


def restore_store(
    file: Annotated[typer.FileBinaryRead, typer.Argument(metavar="FILE", help="From `export`; - is standard input.")],
    store: StoreOption,
    account: AccountOption = None,
) -> None:
    """Bring an exported store back, into one without profiles: IDs, times and merges as they were.

    The settings and trait groups of the file are put in force. All of it is restored, or nothing.
    """

    async def restore_from_file(settings: Settings) -> int:
        async with connected(settings, command_timeout=None) as database, database.transaction() as connection:
            locked = await lock_rules(connection, *await _named(connection, account, store))
            with _progress("Restoring") as show:
                return await restore(connection, locked, file, show)

    try:
        profiles = _run(restore_from_file)
    except RestoreRefused as error:
        raise CommandError(f"Nothing is restored: {error}") from None
    typer.echo(f"Restored {profiles} profiles, and the settings and trait groups of the file.")


def _run(work: Callable[[Settings], Coroutine[None, None, Result]]) -> Result:
    with database_running(configured()) as running:
        try:
            return asyncio.run(work(running))
        except NotFound:
            raise CommandError("There is no such store in this account") from None


async def _named(connection: AsyncConnection, account: str | None, store: str) -> tuple[UUID, UUID]:
    """The account's and the store's."""
    store_id = ids.decoded(store) if ids.is_well_formed(ids.STORE_ID_PATTERN, store) else None
    if store_id is None:
        raise CommandError("--store: expected mem_store_ and 26 characters")
    return await chosen_account(connection, account), store_id


@contextmanager
def _written(path: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that is there once it is whole."""
    if path is None:
        yield sys.stdout.buffer
        return
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)  # of an export that was killed, or another's, who could read what we write into it
    try:
        with open(part, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """On standard error, if that is a terminal. It is told how many are done, and of how many."""
    # Here, since those that serve need none of it.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


def _json_lines(header: ArchiveHeader) -> tuple[bytes, LineOf]:
    return line_of(header), line_of


def _csv_lines(header: ArchiveHeader) -> tuple[bytes, LineOf]:
    columns = [TraitName(group.display_name, name) for group in header.trait_groups for name in group.traits or {}]

    def line(profile: ArchivedProfile) -> bytes:
        traits = {TraitName(trait.group, trait.name): trait.value for trait in profile.traits}
        return _csv_line([ids.profile_id(profile.id), *(_csv_value(traits.get(name, "")) for name in columns)])

    return _csv_line(["id", *map(str, columns)]), line


def _csv_line(values: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue().encode()


def _csv_value(value: TraitValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_LINES: dict[Format, Callable[[ArchiveHeader], tuple[bytes, LineOf]]] = {"jsonl": _json_lines, "csv": _csv_lines}
