"""How we connect to PostgreSQL, and what of its errors means that it is not there for us."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy import exc

from profile_lookup.errors import Unavailable

CONNECT_TIMEOUT = 5.0  # seconds; also the wait for a free connection
COMMAND_TIMEOUT = 15.0  # seconds; for a server that fell silent, later than its own timeouts below

_SERVER_SETTINGS = {
    "application_name": "profile-lookup",
    "default_transaction_isolation": "read committed",
    "lock_timeout": "5s",
    "statement_timeout": "10s",
    # Statements with array parameters would otherwise be planned anew at every call.
    "plan_cache_mode": "force_generic_plan",
    # And a plan made while a table is empty would read it from end to end ever after.
    "enable_seqscan": "off",
    "jit": "off",
    "timezone": "UTC",
}

_UNAVAILABLE_CLASSES = ("08", "40", "53", "57")
"""SQLSTATE classes: connection exception, transaction rollback, insufficient resources, operator intervention."""
_UNAVAILABLE_STATES = ("55P03", "25006")
"""Lock not available; read-only transaction, which a standby in a failover answers."""


async def connect(database_url: str, *, command_timeout: float | None = COMMAND_TIMEOUT) -> asyncpg.Connection:
    """`database_url`: what libpq takes, `postgresql://…`. Raises `Unavailable` if the server does not let us in."""
    try:
        return await asyncpg.connect(
            database_url, timeout=CONNECT_TIMEOUT, command_timeout=command_timeout, server_settings=_SERVER_SETTINGS
        )
    except asyncpg.PostgresError as error:
        raise Unavailable from error


@contextmanager
def telling_when_unavailable() -> Iterator[None]:
    try:
        yield
    except (OSError, TimeoutError, exc.TimeoutError, asyncpg.PostgresConnectionError) as error:
        raise Unavailable from error
    except (exc.DBAPIError, asyncpg.PostgresError) as error:
        if _is_unavailable(error):
            raise Unavailable from error
        raise


def _is_unavailable(error: exc.DBAPIError | asyncpg.PostgresError) -> bool:
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return True
        sqlstate = getattr(error.orig, "sqlstate", None)
    else:
        sqlstate = error.sqlstate
    return sqlstate is not None and (sqlstate[:2] in _UNAVAILABLE_CLASSES or sqlstate in _UNAVAILABLE_STATES)
