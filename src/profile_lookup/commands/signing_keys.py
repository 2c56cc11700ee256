"""`profile-lookup signing-keys`."""

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.commands.database import configure, run_in_transaction
from profile_lookup.database.signing_key import rotate_signing_key

signing_key_commands = typer.Typer(help="The keys that sign page tokens and upload addresses.", no_args_is_help=True)


@signing_key_commands.callback()
def _group() -> None:
    pass  # without it, Typer would make the only command the group itself


@signing_key_commands.command("rotate")
def rotate(
    revoke_former: Annotated[
        bool,
        typer.Option("--revoke-former", help="Refuse, within a minute, all that the former keys have signed."),
    ] = False,
) -> None:
    """Make a key that begins to sign after two minutes. What the former keys have signed stays valid."""

    async def work(connection: AsyncConnection) -> None:
        await rotate_signing_key(connection, revokes_former=revoke_former)

    run_in_transaction(configure(), work)
    typer.echo("The former keys are deleted." if revoke_former else "The new key begins to sign after two minutes.")
