"""`profile-lookup stores`: the stores of an account."""

from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.commands.accounts import AccountOption, chosen_account
from profile_lookup.commands.database import configure, run_in_transaction
from profile_lookup.commands.errors import CommandError
from profile_lookup.errors import RequestRefused, StoreNameTaken
from profile_lookup.stores import queries as stores
from profile_lookup.stores.display_name import refuse_malformed_name
from profile_lookup.web import ids

store_commands = typer.Typer(help="Stores of an account.", no_args_is_help=True)


@store_commands.command("create")
def create_store(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits and hyphens; unique in the account.")],
    account: AccountOption = None,
) -> None:
    """Make a store, and show its ID."""
    try:
        refuse_malformed_name(name)
    except RequestRefused:
        raise CommandError("NAME: expected 1-64 letters, digits and hyphens") from None

    settings = configure()

    async def create(connection: AsyncConnection) -> UUID:
        return await stores.create(
            connection,
            await chosen_account(connection, account),
            display_name=name,
            description=None,
            max_stores=settings.max_stores,
        )

    try:
        typer.echo(ids.store_id(run_in_transaction(settings, create)))
    except StoreNameTaken:
        raise CommandError("NAME: another store of this account already has this name") from None


@store_commands.command("list")
def list_stores(account: AccountOption = None) -> None:
    """List an account's stores: ID, status, name."""

    async def list_lines(connection: AsyncConnection) -> list[str]:
        found = await stores.of_account(connection, await chosen_account(connection, account))
        return [f"{ids.store_id(store.id)}  {store.status}  {store.display_name}" for store in found]

    for line in run_in_transaction(configure(), list_lines):
        typer.echo(line)
