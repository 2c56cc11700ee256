"""`profile-lookup split`: joins of a profile are undone, after it was shown what would be left."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.commands.accounts import AccountOption, chosen_account
from profile_lookup.commands.database import configure, open_database, running_database
from profile_lookup.commands.errors import CommandError
from profile_lookup.commands.profile_arguments import (
    StoreArgument,
    console,
    event_id_of,
    printable,
    profile_id_of,
    store_id_of,
)
from profile_lookup.database.connections import COMMAND_LIMITS
from profile_lookup.database.pool import Database
from profile_lookup.errors import NotFound, ProfileMoved
from profile_lookup.history.split_request import SplitRequest
from profile_lookup.history.splits import split_profile
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.splitting import Part, Split
from profile_lookup.identity.identifier import Identifier
from profile_lookup.settings import Settings
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids

_ACTOR = Actor("command", "split")


def split(
    store: StoreArgument,
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="mem_profile_…, the canonical ID.")],
    events: Annotated[list[str], typer.Argument(metavar="EVENT…", help="The joins to undo: mem_event_…")],
    account: AccountOption = None,
    keep_apart: Annotated[bool, typer.Option(help="Whether the parts never become one person again.")] = True,
    block: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE=VALUE", help="A value that identifies nobody from now on. It may be repeated."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether to undo them.")] = False,
) -> None:
    """Undo what made people one profile. First it is shown what would be left, and nothing is changed."""
    request = SplitRequest(
        [event_id_of(each) for each in events],
        _ACTOR,
        keep_apart,
        [_parse_blocked(each) for each in block or ()],
    )
    store_id, profile_id = store_id_of(store), profile_id_of(profile)
    with running_database(configure()) as settings:
        asyncio.run(_split(settings, account, store_id, profile_id, request, confirmed=yes))


async def _split(
    settings: Settings, account: str | None, store_id: UUID, profile_id: UUID, request: SplitRequest, *, confirmed: bool
) -> None:
    async with open_database(settings, limits=COMMAND_LIMITS) as database:
        async with database.statements() as connection:
            store = await _store(connection, account, store_id)
        _show(await _done(database, store, profile_id, replace(request, is_dry_run=True)))
        if not confirmed:
            typer.confirm("Undo these joins?", abort=True)
        done = await _done(database, store, profile_id, request)
    typer.echo(f"{len(done.parts)} profiles are left. The event of the split is {ids.event_id(done.id)}.")


async def _store(connection: AsyncConnection, account: str | None, store_id: UUID) -> StoreRules:
    try:
        return await rules_in_force(connection, await chosen_account(connection, account), store_id)
    except NotFound:
        raise CommandError("There is no such store in this account") from None


async def _done(database: Database, store: StoreRules, profile_id: UUID, request: SplitRequest) -> Split:
    try:
        return await split_profile(database, store, profile_id, request, CLOCK.now())
    except NotFound:
        raise CommandError("There is no such profile in this store") from None
    except ProfileMoved as moved:
        raise CommandError(f"PROFILE: it was merged into {ids.profile_id(moved.canonical_id)}") from None


def _show(done: Split) -> None:
    """Print a line for each part."""
    table = Table(box=None, pad_edge=False)
    for name in ("profile", "", "identifiers", "traits"):
        table.add_column(name, overflow="fold")
    for part in done.parts:
        table.add_row(ids.profile_id(part.profile.id), "new" if part.is_new else "", *map(", ".join, _columns(part)))
    console().print(table)


def _columns(part: Part) -> tuple[Iterable[str], Iterable[str]]:
    held = sorted(part.profile.identifiers.items(), key=lambda item: (item[1], item[0]))
    return (
        (f"{each.id_type} {printable(each.value)}" for each, _ in held),
        (f"{name.name} {printable(str(trait.value))}" for name, trait in sorted(part.profile.traits.items())),
    )


def _parse_blocked(text: str) -> Identifier:
    id_type, separator, value = text.partition("=")
    if not (id_type and separator and value):
        raise CommandError("--block: expected TYPE=VALUE")
    return Identifier(id_type, value)
