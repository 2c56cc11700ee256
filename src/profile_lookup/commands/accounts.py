"""`profile-lookup accounts` and `keys`; and the account that another command is about."""

from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts import queries as accounts
from profile_lookup.accounts.credentials import Credentials, Scope, digest, new_account_sid, new_key_sid, new_secret
from profile_lookup.commands.database import configure, run_in_transaction
from profile_lookup.commands.errors import CommandError
from profile_lookup.identity.values.normalization import is_storable

account_commands = typer.Typer(help="Accounts: who may call.", no_args_is_help=True)
key_commands = typer.Typer(help="API keys of an account.", no_args_is_help=True)

AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="SID", help="The account; needed only if there are several.")
]


@account_commands.command("create")
def create_account(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for people; it need not be unique.")],
) -> None:
    """Make an account, and show its SID and auth token, this once."""
    if not (name and is_storable(name)):
        raise CommandError("NAME: expected text that is not empty")
    sid, token = new_account_sid(), new_secret()

    async def create(connection: AsyncConnection) -> None:
        await accounts.ensure_account(connection, name, Credentials(sid, digest(token)))

    run_in_transaction(configure(), create)
    typer.echo(f"Account SID: {sid}\nAuth token:  {token}  (shown this once)")


@key_commands.command("create")
def create_key(
    account: AccountOption = None,
    scope: Annotated[
        Scope, typer.Option(help="lookup: the key may look up and nothing else; full: everything.")
    ] = "full",
    name: Annotated[str, typer.Option(help="A name for people; it need not be unique.")] = "",
) -> None:
    """Make an API key, and show its SID and secret, this once."""
    sid, secret = new_key_sid(), new_secret()

    async def create(connection: AsyncConnection) -> None:
        account_id = await chosen_account(connection, account)
        await accounts.add_key(connection, account_id, Credentials(sid, digest(secret)), scope=scope, name=name)

    run_in_transaction(configure(), create)
    typer.echo(f"API key: {sid}\nSecret:  {secret}  (shown this once)")


@key_commands.command("list")
def list_keys(account: AccountOption = None) -> None:
    """List an account's API keys: SID, scope, time of creation, name."""

    async def list_lines(connection: AsyncConnection) -> list[str]:
        found = await accounts.keys_of(connection, await chosen_account(connection, account))
        return [f"{key.sid}  {key.scope:6}  {key.created_at:%Y-%m-%dT%H:%M:%SZ}  {key.name}" for key in found]

    for line in run_in_transaction(configure(), list_lines):
        typer.echo(line)


@key_commands.command("revoke")
def revoke_key(sid: Annotated[str, typer.Argument(metavar="SID", help="The API key.")]) -> None:
    """Refuse an API key from now on."""

    async def revoke(connection: AsyncConnection) -> None:
        if not await accounts.remove_key(connection, sid):
            raise CommandError(f"There is no API key {sid}")

    run_in_transaction(configure(), revoke)
    typer.echo(f"{sid} is revoked.")


async def chosen_account(connection: AsyncConnection, sid: str | None) -> UUID:
    """Return the account that `--account` names, or the only one there is. Raises `CommandError`."""
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
