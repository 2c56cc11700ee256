"""The commands for accounts, API keys and stores: each is one transaction."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup import server
from profile_lookup.accounts import queries as accounts
from profile_lookup.accounts.credentials import (
    Credentials,
    Scope,
    digest,
    new_account_sid,
    new_key_sid,
    new_secret,
)
from profile_lookup.errors import NameTaken
from profile_lookup.identity.normalization import is_storable
from profile_lookup.settings import Settings
from profile_lookup.stores import queries as stores
from profile_lookup.stores.wire import StoreRequest
from profile_lookup.web import ids

account_commands = typer.Typer(help="Accounts: who may call.", no_args_is_help=True)
key_commands = typer.Typer(help="API keys of an account.", no_args_is_help=True)
store_commands = typer.Typer(help="Stores of an account.", no_args_is_help=True)

Result = TypeVar("Result")

AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="SID", help="May be left out if there is only one account.")
]


class CommandError(Exception):
    """What was asked for cannot be done. One line for a person."""


@account_commands.command("create")
def create_account(
    name: Annotated[str, typer.Argument(metavar="NAME", help="For people; need not be unique.")],
) -> None:
    """Make an account; its SID and auth token are shown this once."""
    if not (name and is_storable(name)):
        raise CommandError("NAME: expected text that is not empty")
    sid, token = new_account_sid(), new_secret()

    async def create(connection: AsyncConnection) -> None:
        await accounts.ensure_account(connection, name, Credentials(sid, digest(token)))

    _in_database(create)
    typer.echo(f"Account SID: {sid}\nAuth token:  {token}  (shown this once)")


@key_commands.command("create")
def create_key(
    account: AccountOption = None,
    scope: Annotated[Scope, typer.Option(help="lookup: nothing but Lookup; full: everything.")] = "full",
    name: Annotated[str, typer.Option(help="For people; need not be unique.")] = "",
) -> None:
    """Make an API key; its secret is shown this once."""
    sid, secret = new_key_sid(), new_secret()

    async def create(connection: AsyncConnection) -> None:
        account_id = await chosen_account(connection, account)
        await accounts.add_key(connection, account_id, Credentials(sid, digest(secret)), scope=scope, name=name)

    _in_database(create)
    typer.echo(f"API key: {sid}\nSecret:  {secret}  (shown this once)")


@key_commands.command("list")
def list_keys(account: AccountOption = None) -> None:
    """List an account's API keys: SID, scope, time of creation, name."""

    async def rows(connection: AsyncConnection) -> list[str]:
        found = await accounts.keys_of(connection, await chosen_account(connection, account))
        return [f"{key.sid}  {key.scope:6}  {key.created_at:%Y-%m-%dT%H:%M:%SZ}  {key.name}" for key in found]

    for row in _in_database(rows):
        typer.echo(row)


@key_commands.command("revoke")
def revoke_key(sid: Annotated[str, typer.Argument(metavar="SID", help="The API key.")]) -> None:
    """Refuse an API key from now on."""

    async def revoke(connection: AsyncConnection) -> None:
        if not await accounts.remove_key(connection, sid):
            raise CommandError(f"There is no API key {sid}")

    _in_database(revoke)
    typer.echo(f"{sid} is revoked.")


@store_commands.command("create")
def create_store(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits and hyphens; unique in the account.")],
    account: AccountOption = None,
) -> None:
    """Make a store, and show its ID."""
    try:
        request = StoreRequest(displayName=name)
    except ValidationError:
        raise CommandError("NAME: expected 1-64 letters, digits and hyphens") from None

    settings = server.configured()

    async def create(connection: AsyncConnection) -> UUID:
        return await stores.create(
            connection,
            await chosen_account(connection, account),
            display_name=request.display_name,
            description=None,
            max_stores=settings.max_stores,
        )

    try:
        typer.echo(ids.store_id(_in_database(create, settings)))
    except NameTaken:
        raise CommandError("NAME: another store of this account already has this name") from None


@store_commands.command("list")
def list_stores(account: AccountOption = None) -> None:
    """List an account's stores: ID, status, name."""

    async def rows(connection: AsyncConnection) -> list[str]:
        found = await stores.of_account(connection, await chosen_account(connection, account))
        return [f"{ids.store_id(store.id)}  {store.status}  {store.display_name}" for store in found]

    for row in _in_database(rows):
        typer.echo(row)


def _in_database(work: Callable[[AsyncConnection], Awaitable[Result]], settings: Settings | None = None) -> Result:
    """One command, one transaction."""

    async def run(settings: Settings) -> Result:
        async with server.connected(settings) as database, database.transaction() as connection:
            return await work(connection)

    with server.database_running(settings or server.configured()) as running:
        return asyncio.run(run(running))


async def chosen_account(connection: AsyncConnection, sid: str | None) -> UUID:
    """Of `--account`, or the only one. Raises `CommandError`."""
    if sid is not None:
        account_id = await accounts.account_of(connection, sid)
        if account_id is None:
            raise CommandError(f"There is no account {sid}")
        return account_id
    match await accounts.all_accounts(connection):
        case [account]:
            only: UUID = account.id
            return only
        case []:
            raise CommandError("Make one first: profile-lookup accounts create")
        case several:
            known = ", ".join(f"{account.sid} ({account.name})" for account in several)
            raise CommandError(f"Say which account with --account: {known}")
