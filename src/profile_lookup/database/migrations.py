"""Finds and runs the migrations, from a checkout or from an installed package."""

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from profile_lookup.database.schema_revisions import IS_SERVED, SchemaState

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from profile_lookup.database.pool import Database

# Alembic is imported where it is used: it takes a tenth of a second, and a server for tests does without it.


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


async def schema_state(database: "Database") -> SchemaState:
    """Return whether the schema serves this code, by a connection reserved for short queries.

    Others may wait for a connection of the pool. Raises `Unavailable`.
    """
    try:
        found = await database.fetch(IS_SERVED, head())
    except asyncpg.UndefinedTableError:
        found = []
    return SchemaState.of(found[0]["is_served"] if found else None)


async def pending_migrations(database: "Database") -> list[str]:
    """Return the revisions that an older schema lacks, the first one first, with their phases. Raises `Unavailable`."""
    try:
        found = await database.fetch("select version_num from alembic_version")
    except asyncpg.UndefinedTableError:
        found = []
    applied = found[0]["version_num"] if found else "base"
    missing = list(_scripts().iterate_revisions("head", applied))
    return [f"{each.revision} ({each.module.phase})" for each in reversed(missing)]


@cache
def head() -> str | None:
    """Return the newest revision that this code knows."""
    return _scripts().get_current_head()


@cache
def _scripts() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory(str(_directory()))


def fingerprint() -> str:
    """Return a digest of all migrations, which changes whenever one of them does."""
    content = hashlib.sha256()
    for path in sorted((_directory() / "versions").glob("*.py")):
        content.update(path.name.encode() + path.read_bytes())
    return content.hexdigest()[:16]


def _directory() -> Path:
    packaged = Path(str(files("profile_lookup"))) / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "migrations"
