"""Finds and runs the migrations, from a checkout or from an installed package."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncConnection

UNDEFINED_TABLE = "42P01"


def alembic_config(database_url: str) -> Config:
    """Return the configuration of Alembic. `database_url`: postgresql://…, as in the settings."""
    config = Config()
    config.set_main_option("script_location", str(_directory()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["database_url"] = database_url
    return config


def migrate(database_url: str) -> None:
    """Migrate the schema to this version. Replicas that migrate at the same time wait for each other."""
    command.upgrade(alembic_config(database_url), "head")


async def is_current(connection: AsyncConnection) -> bool:
    """Return whether the database has this version's schema."""
    try:
        revision = await connection.scalar(text("select version_num from alembic_version"))
    except exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE:
            return False
        raise
    return bool(revision == _head())


@cache
def _head() -> str | None:
    return ScriptDirectory(str(_directory())).get_current_head()


def _directory() -> Path:
    packaged = Path(str(files("profile_lookup"))) / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "migrations"
