"""What every command needs of a running service: its settings and its database."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from pydantic import SecretStr
from sqlalchemy import exc

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.accounts.queries import ensure_account
from profile_lookup.database.connecting import COMMAND_TIMEOUT
from profile_lookup.database.embedded import EmbeddedPostgres
from profile_lookup.database.engine import HELD, Database
from profile_lookup.database.migrations import is_current, migrate
from profile_lookup.errors import Unavailable
from profile_lookup.garbage import collect_seldom
from profile_lookup.profiles.coalescing import CONNECTIONS as CONNECTIONS_OF_LOOKUPS
from profile_lookup.settings import Settings, load_settings
from profile_lookup.web.logs import configure_logging
from profile_lookup.working import CONNECTIONS as CONNECTIONS_OF_WORKER
from profile_lookup.working import working

CONNECTIONS_OF_COMMANDS = 20  # that the embedded database has room for beside those of the service


class ServerError(Exception):
    """The service cannot run. One line for a person."""


def configured(**overrides: Any) -> Settings:
    """The settings, read once for a command, and the log as they want it. Raises `SettingsError`."""
    settings = load_settings(**overrides)
    configure_logging(settings.log_level)
    return settings


@contextmanager
def database_running(settings: Settings) -> Iterator[Settings]:
    """Settings whose `database_url` answers: the embedded database, migrated, or the one that is configured.

    Raises `ServerError` or `EmbeddedPostgresError`.
    """
    if settings.database_url is not None:
        yield settings
        return
    of_each = settings.pool_size + HELD + CONNECTIONS_OF_LOOKUPS
    connections = settings.workers * of_each + CONNECTIONS_OF_WORKER + CONNECTIONS_OF_COMMANDS
    with EmbeddedPostgres(settings.data_dir, settings={"max_connections": str(max(connections, 100))}) as embedded:
        migrate_now(embedded.url)
        yield settings.model_copy(update={"database_url": SecretStr(embedded.url)})


def migrate_now(database_url: str) -> None:
    with _plain_speech():
        migrate(database_url)


@asynccontextmanager
async def connected(settings: Settings, *, command_timeout: float | None = COMMAND_TIMEOUT) -> AsyncIterator[Database]:
    """A few connections for a command; the schema is this version's. Raises `ServerError`."""
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), pool_size=2, command_timeout=command_timeout)
    try:
        with _plain_speech():
            async with database.statements() as connection:
                if not await is_current(connection):
                    raise ServerError("The schema is not this version's: run `profile-lookup migrate`")
        yield database
    finally:
        await database.close()


async def ensure_bootstrap_account(database: Database, settings: Settings) -> None:
    if settings.bootstrap_account_sid is None or settings.bootstrap_auth_token is None:
        return
    token = Credentials(settings.bootstrap_account_sid, digest(settings.bootstrap_auth_token.get_secret_value()))
    async with database.transaction() as connection:
        await ensure_account(connection, "bootstrap", token)


async def work(settings: Settings, announce: Callable[[], None]) -> None:
    """On operations, until SIGINT or SIGTERM; then give back what is under way, for whoever works next.

    `announce` is called when both are heeded. Raises `ServerError`.
    """
    assert settings.database_url is not None
    has_to_end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, has_to_end.set)
    async with connected(settings):
        pass  # its schema is this version's
    collect_seldom()
    async with working(settings):
        announce()
        await has_to_end.wait()


@contextmanager
def _plain_speech() -> Iterator[None]:
    """What keeps a command from its database, in one line."""
    try:
        yield
    except Unavailable as error:
        raise ServerError(f"Cannot reach the database: {error.__cause__ or 'no answer'}") from None
    except (OSError, TimeoutError) as error:
        raise ServerError(f"Cannot reach the database: {error or 'no answer'}") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ServerError(f"The database refuses: {error}") from None
    except exc.DBAPIError as error:
        raise ServerError(f"The database refuses: {error.orig}") from None
