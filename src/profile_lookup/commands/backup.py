"""`profile-lookup backup` copies the embedded database. The service can start from the copy."""

import asyncio
import shutil
from pathlib import Path
from typing import Annotated

import typer

from profile_lookup.commands.database import configure, running_database
from profile_lookup.commands.errors import CommandError
from profile_lookup.database.embedded.backup import back_up
from profile_lookup.database.embedded.directories import make_directory
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres


def backup(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new directory, or one that is empty.")],
) -> None:
    """Copy the embedded database into a directory, while it serves. The copy is a data directory."""
    settings = configure()
    if settings.database_url is not None:
        raise CommandError("backup copies the embedded database; for a server, use pg_dump or pg_basebackup")
    if directory.exists() and any(directory.iterdir()):
        raise CommandError(f"{directory}: expected a new directory, or one that is empty")
    with running_database(settings):
        server = EmbeddedPostgres(settings.data_dir)
        with server:
            make_directory(directory)
            asyncio.run(back_up(server.url_as(SUPERUSER), settings.data_dir / "data", directory / "data"))
    demo = settings.data_dir / "demo.json"
    if demo.exists():
        shutil.copy2(demo, directory)
    typer.echo(f"The backup is complete. To serve from it: PROFILE_LOOKUP_DATA_DIR={directory.absolute()}")
