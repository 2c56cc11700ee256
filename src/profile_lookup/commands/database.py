"""What every command needs: its settings, and a database. And `profile-lookup migrate`, which needs nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import asyncpg
import typer
from pydantic import SecretStr
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.commands.errors import CommandError
from profile_lookup.database import migrations
from profile_lookup.database.connections import COMMAND_TIMEOUT
from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.database.pool import DEDICATED, Database
from profile_lookup.errors import Unavailable
from profile_lookup.jobs.job_handlers import CONNECTIONS as CONNECTIONS_OF_WORKER
from profile_lookup.logs import configure_logging
from profile_lookup.lookup.coalescing import CONNECTIONS as CONNECTIONS_OF_LOOKUPS
from profile_lookup.settings import Settings, load_settings

Result = TypeVar("Result")

CONNECTIONS_OF_COMMANDS = 20  # that the embedded database has room for beside those of the service


def configured(**overrides: Any) -> Settings:
    """The settings, read once for a command, and the log as they want it. Raises `SettingsError`."""
    settings = load_settings(**overrides)
    configure_logging(settings.log_level)
    return settings


@contextmanager
def database_running(settings: Settings) -> Iterator[Settings]:
    """Settings whose `database_url` answers: the embedded database, migrated, or the one that is configured.

    Raises `CommandError` or `EmbeddedPostgresError`.
    """
    if settings.database_url is not None:
        yield settings
        return
    of_each = settings.pool_size + DEDICATED + CONNECTIONS_OF_LOOKUPS
    connections = settings.workers * of_each + CONNECTIONS_OF_WORKER + CONNECTIONS_OF_COMMANDS
    with EmbeddedPostgres(settings.data_dir, settings={"max_connections": str(max(connections, 100))}) as embedded:
        _migrate(embedded.url)
        yield settings.model_copy(update={"database_url": SecretStr(embedded.url)})


@asynccontextmanager
async def connected(settings: Settings, *, command_timeout: float | None = COMMAND_TIMEOUT) -> AsyncIterator[Database]:
    """A few connections for a command; the schema is this version's. Raises `CommandError`."""
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), pool_size=2, command_timeout=command_timeout)
    try:
        with _plain_speech():
            async with database.statements() as connection:
                if not await migrations.is_current(connection):
                    raise CommandError("The schema is not this version's: run `profile-lookup migrate`")
        yield database
    finally:
        await database.close()


def in_transaction(settings: Settings, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
    """What a small command does, all of it in one transaction."""

    async def run(settings: Settings) -> Result:
        async with connected(settings) as database, database.transaction() as connection:
            return await work(connection)

    with database_running(settings) as running:
        return asyncio.run(run(running))


def migrate() -> None:
    """Bring the database's schema to this version's. Replicas may do so at once."""
    with database_running(configured()) as settings:
        assert settings.database_url is not None
        _migrate(settings.database_url.get_secret_value())
    typer.echo("The schema is up to date.")


def _migrate(database_url: str) -> None:
    with _plain_speech():
        migrations.migrate(database_url)


@contextmanager
def _plain_speech() -> Iterator[None]:
    """What keeps a command from its database, in one line."""
    try:
        yield
    except Unavailable as error:
        raise CommandError(f"Cannot reach the database: {error.__cause__ or 'no answer'}") from None
    except (OSError, TimeoutError) as error:
        raise CommandError(f"Cannot reach the database: {error or 'no answer'}") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CommandError(f"The database refuses: {error}") from None
    except exc.DBAPIError as error:
        raise CommandError(f"The database refuses: {error.orig}") from None
