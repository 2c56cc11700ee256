"""`profile-lookup distribute`: distributes the schema over the nodes of Citus."""

import asyncio

import typer

from profile_lookup.commands.database import configure, open_database
from profile_lookup.commands.errors import CommandError
from profile_lookup.database import citus
from profile_lookup.database.connections import COMMAND_LIMITS
from profile_lookup.settings import Settings


def distribute() -> None:
    """Distribute the schema over the nodes of Citus, by store, and say what was done.

    This is for trials: the service itself does not run on Citus yet (docs/scaling.md). Running it again finishes what
    is left.
    """
    settings = configure()
    if settings.database_url is None:
        raise CommandError("Set PROFILE_LOOKUP_DATABASE_URL to the coordinator: the embedded database has no Citus")
    asyncio.run(_distribute(settings))


async def _distribute(settings: Settings) -> None:
    async with open_database(settings, limits=COMMAND_LIMITS) as database, database.statements() as connection:
        async for step in citus.distribute(connection):
            typer.echo(step)
