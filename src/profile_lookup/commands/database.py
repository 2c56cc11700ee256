"""What every command needs, its settings and a database; and `profile-lookup migrate`, which needs nothing else."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any, TypeVar

import asyncpg
import typer
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.commands.errors import CommandError
from profile_lookup.commands.settings import warn_of_unknown_variables
from profile_lookup.database import migrations
from profile_lookup.database.connections import REQUEST_LIMITS, STEP_LIMITS, TimeLimits
from profile_lookup.database.driver import is_distributed
from profile_lookup.database.embedded.directories import package_version
from profile_lookup.database.embedded.ephemeral import ephemeral_postgres
from profile_lookup.database.embedded.keeper import kept_running
from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.database.pool import DEDICATED, Database
from profile_lookup.database.schema_revisions import SchemaState
from profile_lookup.database.session_settings import missing_settings
from profile_lookup.errors import Unavailable
from profile_lookup.jobs.job_handlers import CONNECTIONS as CONNECTIONS_OF_WORKER
from profile_lookup.logs import configure_logging
from profile_lookup.lookup.lookup_queue import CONNECTIONS as CONNECTIONS_OF_LOOKUPS
from profile_lookup.overload import LOOKUP_BATCHES_AT_ONCE
from profile_lookup.settings import PREFIX, Settings, load_settings

T = TypeVar("T")

CONNECTIONS_OF_COMMANDS = 20  # the embedded database accepts these in addition to those of the service
MIN_CONNECTIONS = 100

log = logging.getLogger(__name__)


def configure(**overrides: Any) -> Settings:
    """Return the settings of a command, and configure the log by them. Raises `SettingsError`."""
    settings = load_settings(**overrides)
    configure_logging(settings.log_level)
    warn_of_unknown_variables()
    return settings


@contextmanager
def running_database(settings: Settings) -> Iterator[Settings]:
    """Yield settings whose `database_url` is set. If it was not, start the embedded database and migrate it.

    Raises `CommandError` or `EmbeddedPostgresError`.
    """
    if settings.database_url is not None:
        yield settings
        return
    max_connections = max(_connections_of_service(settings) + CONNECTIONS_OF_COMMANDS, MIN_CONNECTIONS)
    server = EmbeddedPostgres(settings.data_dir, settings={"max_connections": str(max_connections)})
    with server as embedded, kept_running(embedded):
        _migrate(embedded.url)
        yield settings.with_database_url(embedded.url)


@contextmanager
def ephemeral_database(settings: Settings) -> Iterator[Settings]:
    """Yield settings with a new, migrated database and a directory for files, both of which are gone at the end.

    Raises `CommandError` or `EmbeddedPostgresError`.
    """
    key = f"{package_version()}-{migrations.fingerprint()}"
    with ephemeral_postgres(settings.cache_dir, key, _migrate) as database:
        files = {"data_dir": database.directory / "files", "upload_dir": None}
        yield settings.with_database_url(database.url).model_copy(update=files)


def _connections_of_service(settings: Settings) -> int:
    beside_pool = DEDICATED + CONNECTIONS_OF_LOOKUPS + LOOKUP_BATCHES_AT_ONCE
    return settings.workers * (settings.pool_size + beside_pool) + CONNECTIONS_OF_WORKER


@asynccontextmanager
async def open_database(settings: Settings, *, limits: TimeLimits = REQUEST_LIMITS) -> AsyncIterator[Database]:
    """Yield a pool of two connections. Raises `CommandError`, also if the schema does not serve this version."""
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), pool_size=2, limits=limits)
    try:
        with _explaining_database_errors():
            _refuse_schema(await migrations.schema_state(database))
        yield database
    finally:
        await database.close()


async def verify_session_settings(settings: Settings, limits: TimeLimits) -> None:
    """Raise a `CommandError` if the database's connections do not have the settings that the code relies on."""
    assert settings.database_url is not None
    with _explaining_database_errors():
        missing = await missing_settings(settings.database_url.get_secret_value(), limits)
    if missing and limits is STEP_LIMITS:
        raise CommandError(
            "The process that works on operations must connect to PostgreSQL itself, not through PgBouncer: run "
            f"`profile-lookup worker` with such a URL, and serve with {PREFIX}RUN_OPERATIONS=false"
        )
    if missing:
        raise CommandError(f"PgBouncer ignores settings that the service needs. Run: {'; '.join(missing)}")


async def refuse_standbys_of_citus(database: Database, settings: Settings) -> None:
    """Raise a `CommandError` if standbys are named, and the database is distributed over nodes of Citus."""
    async with database.statements() as connection:
        if settings.read_database_urls and await is_distributed(connection):
            raise CommandError(
                f"{PREFIX}READ_DATABASE_URLS cannot be used with Citus: the position in the log of the node that the "
                "service is connected to says nothing of what was written on the others"
            )


async def warn_of_too_many_connections(database: Database, settings: Settings) -> None:
    """Log a warning if the server does not accept all connections that this service may open."""
    needed = _connections_of_service(settings)
    async with database.statements() as connection:
        accepted = (await connection.execute(_ACCEPTED_CONNECTIONS)).scalar_one()
    if needed > accepted:
        fields = {"needed": needed, "accepted": accepted}
        log.warning("the service may need more connections than the database accepts", extra=fields)


_ACCEPTED_CONNECTIONS = text("""
    select current_setting('max_connections')::integer
        - current_setting('superuser_reserved_connections')::integer
        - current_setting('reserved_connections')::integer
""")


def run_in_transaction(settings: Settings, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Do the whole work of a small command in one transaction, and return its result."""

    async def run(settings: Settings) -> T:
        async with open_database(settings) as database, database.transaction() as connection:
            return await work(connection)

    with running_database(settings) as running:
        return asyncio.run(run(running))


def _refuse_schema(state: SchemaState) -> None:
    """Raises `CommandError` if a schema in this state does not serve this version."""
    if state is SchemaState.LACKS_MIGRATIONS:
        raise CommandError("The schema is not this version's: run `profile-lookup migrate`")
    _refuse_newer(state)


def _refuse_newer(state: SchemaState) -> None:
    if state is SchemaState.IS_TOO_NEW:
        raise CommandError("The schema is of a newer version and no longer serves this one: install a newer version")


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Only say which migrations are missing; exit code 1 if there are any.")
    ] = False,
) -> None:
    """Bring the database's schema to this version's. Replicas may do so at once."""
    settings = configure()
    if check and settings.database_url is not None:
        asyncio.run(_refuse_pending(settings.database_url.get_secret_value()))
    else:
        with running_database(settings) as running:
            assert running.database_url is not None
            _migrate(running.database_url.get_secret_value())
    typer.echo("The schema is up to date.")


async def _refuse_pending(database_url: str) -> None:
    """Raises `CommandError` if migrations are missing."""
    if await _state_of(database_url) is SchemaState.LACKS_MIGRATIONS:
        async with _briefly(database_url) as database:
            pending = await migrations.pending_migrations(database)
        raise CommandError(f"The schema lacks migrations: {', '.join(pending) or 'its revisions are not recorded'}")


def _migrate(database_url: str) -> None:
    """Migrate, unless the schema is newer and serves this version. Raises `CommandError`, also if it does not."""
    if asyncio.run(_state_of(database_url)) is SchemaState.LACKS_MIGRATIONS:
        with _explaining_database_errors():
            migrations.migrate(database_url)


async def _state_of(database_url: str) -> SchemaState:
    """Return whether the schema serves this version. Raises `CommandError`, also if it is too new."""
    async with _briefly(database_url) as database:
        state = await migrations.schema_state(database)
    _refuse_newer(state)
    return state


@asynccontextmanager
async def _briefly(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, pool_size=1)
    try:
        with _explaining_database_errors():
            yield database
    finally:
        await database.close()


@contextmanager
def _explaining_database_errors() -> Iterator[None]:
    """Raise a `CommandError` that says in one line why the database cannot be used."""
    try:
        yield
    except Unavailable as error:
        raise CommandError(f"Cannot reach the database: {error.__cause__ or 'no answer'}") from None
    except (ConnectionError, TimeoutError) as error:
        raise CommandError(f"Cannot reach the database: {error or 'no answer'}") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CommandError(f"The database refuses: {error}") from None
    except exc.DBAPIError as error:
        raise CommandError(f"The database refuses: {error.orig}") from None
