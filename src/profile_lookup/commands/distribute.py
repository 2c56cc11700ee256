"""`profile-lookup distribute`: distributes the schema over the nodes of Citus."""

import asyncio
from importlib import import_module

import typer

from profile_lookup.commands.database import configure, open_database
from profile_lookup.commands.errors import CommandError
from profile_lookup.database.citus import distribution
from profile_lookup.database.connections import COMMAND_LIMITS
from profile_lookup.settings import Settings

STATEMENTS_OF = (
    "archives.reader",
    "archives.writer",
    "database.event_rows",
    "history.feed",
    "history.split_rows",
    "imports.dry_runs.first_rows",
    "imports.undo.undo_rows",
    "ingest.identity_locks",
    "ingest.large_profiles",
    "ingest.locked_profiles",
    "ingest.new_profiles",
    "ingest.writes",
    "jobs.identifier_reader",
    "lookup.batch_queries",
    "lookup.queries",
    "stores.rules_lock",
    "stores.settings_events",
)
"""The modules of `profile_lookup` that have statements which become functions on the nodes of Citus."""


def distribute() -> None:
    """Distribute the schema over the nodes of Citus, by store, and say what was done.

    This is for trials: see docs/scaling.md for what does not run on Citus yet. Running it again finishes what is left,
    and makes the functions of this version. Restart the service afterwards.
    """
    settings = configure()
    if settings.database_url is None:
        raise CommandError("Set PROFILE_LOOKUP_DATABASE_URL to the coordinator: the embedded database has no Citus")
    asyncio.run(_distribute(settings))


def import_statements() -> None:
    """Import all statements that become functions."""
    for module in STATEMENTS_OF:
        import_module(f"profile_lookup.{module}")


async def _distribute(settings: Settings) -> None:
    import_statements()
    async with open_database(settings, limits=COMMAND_LIMITS) as database, database.statements() as connection:
        async for step in distribution.distribute(connection):
            typer.echo(step)
