"""Finds and runs the migrations, from a checkout or from an installed package."""

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncConnection

if TYPE_CHECKING:
    from alembic.config import Config

    from profile_lookup.database.pool import Database

# Alembic is imported where it is used: it takes a tenth of a second, and a server for tests does without it.

UNDEFINED_TABLE = "42P01"
_REVISION = "select version_num from alembic_version"


def alembic_config(database_url: str) -> "Config":
    """Return the configuration of Alembic. `database_url`: postgresql://…, as in the settings."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_directory()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["database_url"] = database_url
    return config


def migrate(database_url: str) -> None:
    """Migrate the schema to this version. Replicas that migrate at the same time wait for each other."""
    from alembic import command  # noqa: PLC0415

    command.upgrade(alembic_config(database_url), "head")


async def is_current(connection: AsyncConnection) -> bool:
    """Return whether the database has this version's schema."""
    try:
        revision = await connection.scalar(text(_REVISION))
    except exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE:
            return False
        raise
    return bool(revision == _head())


async def serves_current(database: "Database") -> bool:
    """Return the same, by a connection reserved for short queries: others may wait for a connection of the pool."""
    try:
        found = await database.fetch(_REVISION)
    except asyncpg.UndefinedTableError:
        return False
    return [row["version_num"] for row in found] == [_head()]


@cache
def _head() -> str | None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory(str(_directory())).get_current_head()


def fingerprint() -> str:
    """Return a digest of all migrations, which changes whenever one of them does."""
    content = hashlib.sha256()
    for path in sorted((_directory() / "versions").glob("*.py")):
        content.update(path.name.encode() + path.read_bytes())
    return content.hexdigest()[:16]


def _directory() -> Path:
    packaged = Path(str(files("profile_lookup"))) / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "migrations"
