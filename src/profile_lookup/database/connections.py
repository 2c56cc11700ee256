"""How this service connects to PostgreSQL, and which of its errors mean that it is not there for us.

Errors are translated where they are raised: by connecting, executing and committing. What a caller raises between two
statements, such as the `OSError` of a file that it writes, stays what it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy import exc

from profile_lookup.errors import OutcomeUnknown, Unavailable

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
_ROLLED_BACK_CLASSES = ("40", "53", "55", "25")
_ROLLED_BACK_STATES = ("57014",)
"""By these the server says of a COMMIT that it did not happen; the last one is `query_canceled`."""


async def connect(database_url: str, *, command_timeout: float | None = COMMAND_TIMEOUT) -> asyncpg.Connection:
    """Return a connection. `database_url` is what libpq takes, `postgresql://…`.

    Raises `Unavailable` if the server does not answer or does not let us in.
    """
    try:
        return await asyncpg.connect(
            database_url, timeout=CONNECT_TIMEOUT, command_timeout=command_timeout, server_settings=_SERVER_SETTINGS
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InternalClientError) as error:
        raise Unavailable from error


@contextmanager
def translating_errors() -> Iterator[None]:
    """Turn errors by which PostgreSQL is not there for us into `Unavailable`. Wrap nothing but calls of the driver."""
    try:
        yield
    except Exception as error:
        if is_unavailable(error):
            raise Unavailable from error
        raise


@contextmanager
def committing() -> Iterator[None]:
    """Wrap a commit: turn `Unavailable` into `OutcomeUnknown` unless the server said that it rolled back."""
    try:
        yield
    except Unavailable as error:
        state = _sqlstate(error.__cause__)
        if state is not None and (state[:2] in _ROLLED_BACK_CLASSES or state in _ROLLED_BACK_STATES):
            raise
        raise OutcomeUnknown from error


def is_unavailable(error: BaseException) -> bool:
    """Return whether the error, the driver's or SQLAlchemy's around it, means that the database is not there for us."""
    if isinstance(error, OSError | TimeoutError | exc.TimeoutError | asyncpg.PostgresConnectionError):
        return True
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    state = _sqlstate(error)
    return state is not None and (state[:2] in _UNAVAILABLE_CLASSES or state in _UNAVAILABLE_STATES)


def _sqlstate(error: BaseException | None) -> str | None:
    """Return the error's SQLSTATE, of the driver's error or of SQLAlchemy's around it; None if it has none."""
    original = error.orig if isinstance(error, exc.DBAPIError) else error
    state: str | None = getattr(original, "sqlstate", None)
    return state
