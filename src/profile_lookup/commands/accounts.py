"""`profile-lookup accounts`; and the account that another command is about."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts import administration
from profile_lookup.accounts.credentials import Credentials, digest, new_account_sid, new_secret
from profile_lookup.accounts.queries import account_of, ensure_account
from profile_lookup.commands.database import configure, run_in_transaction
from profile_lookup.commands.errors import CommandError
from profile_lookup.identity.values.normalization import is_storable
from profile_lookup.stores.deletion import delete_account as delete_account_with_stores

account_commands = typer.Typer(help="Accounts: who may call.", no_args_is_help=True)

AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="SID", help="The account; needed only if there are several.")
]
_Sid = Annotated[str, typer.Argument(metavar="SID", help="The account.")]


@account_commands.command("create")
def create_account(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for people; it need not be unique.")],
) -> None:
    """Make an account, and show its SID and auth token, this once."""
    if not (name and is_storable(name)):
        raise CommandError("NAME: expected text that is not empty")
    sid, token = new_account_sid(), new_secret()

    async def create(connection: AsyncConnection) -> None:
        await ensure_account(connection, name, Credentials(sid, digest(token)))

    run_in_transaction(configure(), create)
    typer.echo(f"Account SID: {sid}\nAuth token:  {token}  (shown this once)")


@account_commands.command("list")
def list_accounts() -> None:
    """List the accounts: SID, whether they are enabled, time of creation, name."""
    for account in run_in_transaction(configure(), administration.all_accounts):
        state = "enabled " if account.is_enabled else "disabled"
        typer.echo(f"{account.sid}  {state}  {account.created_at:%Y-%m-%dT%H:%M:%SZ}  {account.name}")


@account_commands.command("rotate-token")
def rotate_token(
    sid: _Sid,
    overlap: Annotated[
        int,
        typer.Option(
            min=0,
            max=administration.MAX_OVERLAP,
            metavar="SECONDS",
            help="How long the former token is accepted beside the new one, at most a week.",
        ),
    ] = 0,
) -> None:
    """Replace an account's auth token, and show the new one, this once."""
    token = new_secret()

    async def rotate(connection: AsyncConnection, account_id: UUID) -> None:
        credentials = Credentials(sid, digest(token))
        await administration.rotate_token(connection, account_id, credentials, timedelta(seconds=overlap))

    _change(sid, rotate)
    typer.echo(f"Auth token: {token}  (shown this once)")


@account_commands.command("disable")
def disable_account(sid: _Sid) -> None:
    """Refuse an account's token and all its keys from now on, until it is enabled again."""
    _set_enabled(sid, is_enabled=False)
    typer.echo(f"{sid} is disabled.")


@account_commands.command("enable")
def enable_account(sid: _Sid) -> None:
    """Accept the token and the keys of a disabled account again."""
    _set_enabled(sid, is_enabled=True)
    typer.echo(f"{sid} is enabled.")


@account_commands.command("delete")
def delete_account(
    sid: _Sid,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it without asking.")] = False,
) -> None:
    """Delete an account with its keys and its stores. A worker then erases all that they hold."""
    if not yes:
        typer.confirm(f"Delete {sid} with all its stores?", abort=True)
    _change(sid, delete_account_with_stores)
    typer.echo(f"{sid} is deleted.")


def _set_enabled(sid: str, *, is_enabled: bool) -> None:
    async def change(connection: AsyncConnection, account_id: UUID) -> None:
        await administration.set_enabled(connection, account_id, is_enabled=is_enabled)

    _change(sid, change)


def _change(sid: str, work: Callable[[AsyncConnection, UUID], Awaitable[None]]) -> None:
    """Do the work for the account with this SID, in one transaction. Raises `CommandError` if there is none."""

    async def change(connection: AsyncConnection) -> None:
        await work(connection, await chosen_account(connection, sid))

    run_in_transaction(configure(), change)


async def chosen_account(connection: AsyncConnection, sid: str | None) -> UUID:
    """Return the account that `--account` names, or the only one there is. Raises `CommandError`."""
    if sid is not None:
        account_id = await account_of(connection, sid)
        if account_id is None:
            raise CommandError(f"There is no account {sid}")
        return account_id
    match await administration.all_accounts(connection):
        case [account]:
            only: UUID = account.id
            return only
        case []:
            raise CommandError("Make one first: profile-lookup accounts create")
        case several:
            known = ", ".join(f"{account.sid} ({account.name})" for account in several)
            raise CommandError(f"Say which account with --account: {known}")
