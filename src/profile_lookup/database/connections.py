"""How this service connects to PostgreSQL, and which errors mean that PostgreSQL is unavailable.

Errors are translated where they are raised: by connecting, executing and committing. An error that a caller raises
between two statements, such as the `OSError` of a file that it writes, is not translated.
"""

import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from sqlalchemy import exc

from profile_lookup.database.citus.detection import notice_citus
from profile_lookup.database.hosts import names_session_attributes, url_of_each_host
from profile_lookup.errors import OutcomeUnknown, Unavailable

CONNECT_TIMEOUT = 5.0  # seconds, for each host; also the wait for a free connection
HEAD_START = 0.3  # seconds that a host has to answer before the next one is tried, too


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds; None means no limit.

    The server ends a statement after `lock` or `statement` with an error that we can answer. `command` is longer: a
    server that has not even done that is silent, and the connection is given up. `idle_in_transaction` is the server's
    limit for us, so that a process of ours that stands still releases its locks.
    """

    lock: float | None
    statement: float | None
    command: float | None
    idle_in_transaction: float | None


REQUEST_LIMITS = TimeLimits(lock=3.5, statement=4.0, command=4.5, idle_in_transaction=4.5)
"""They are below five seconds, after which requests must be served again if a connection or a replica falls silent."""
STEP_LIMITS = TimeLimits(lock=5.0, statement=55.0, command=60.0, idle_in_transaction=60.0)
"""These are for the steps of operations, and for everything else that the worker does."""
WATCHED_LIMITS = TimeLimits(lock=5.0, statement=None, command=None, idle_in_transaction=60.0)
"""These are for statements that may take hours while a second connection watches them (`backend_watch.py`)."""
COMMAND_LIMITS = TimeLimits(lock=5.0, statement=10.0, command=None, idle_in_transaction=None)
"""These are for migrations and commands. A person waits for them, and may pause the program that reads their output."""

_KEEPALIVE = {"SO_KEEPALIVE": 1, "TCP_KEEPIDLE": 2, "TCP_KEEPALIVE": 2, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 2}
"""Seconds and a count: a lost host is noticed after four seconds. macOS calls the second option by the third name."""
_USER_TIMEOUT = 4_000  # milliseconds after which sent data that nobody confirms counts as lost

PLANNING = {
    # Statements with array parameters would otherwise be planned anew at every call.
    "plan_cache_mode": "force_generic_plan",
    # And a plan made while a table is empty would read the whole table ever after.
    "enable_seqscan": "off",
    "jit": "off",
}

_SERVER_SETTINGS = {
    "application_name": "profile-lookup",
    "default_transaction_isolation": "read committed",
    # The server notices, too, that a host of ours is lost, and ends the statements and releases the locks of that host.
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": str(_USER_TIMEOUT),
    **PLANNING,
    "timezone": "UTC",
}

_UNAVAILABLE_CLASSES = ("08", "40", "53", "57")
"""SQLSTATE classes: connection exception, transaction rollback, insufficient resources, operator intervention."""
_UNAVAILABLE_STATES = ("55P03", "25006")
"""Lock not available; read-only transaction, which a standby in a failover answers."""
_ROLLED_BACK_CLASSES = ("40", "53", "55", "25")
_ROLLED_BACK_STATES = ("57014",)
"""With these, the server says that a COMMIT did not happen; the last one is `query_canceled`."""
_FAILED_ON_NODE = "XX000"
"""Citus answers a COMMIT with this, an internal error, when that of a node failed."""


class ServiceConnection(asyncpg.Connection):
    """A connection of this service. `is_distributed` says whether its database is distributed over nodes of Citus."""

    is_distributed = False


async def connect(database_url: str, limits: TimeLimits = REQUEST_LIMITS) -> ServiceConnection:
    """Return a connection. `database_url` is a URL as libpq accepts it, `postgresql://…`, and may name several hosts.

    Each host has `CONNECT_TIMEOUT` for itself. Raises `Unavailable` if no server answers or all refuse us.
    """
    urls = url_of_each_host(database_url)
    try:
        connection = await _first_connection(urls, limits, _session_attributes(database_url, urls))
        connection.is_distributed = await notice_citus(connection)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InternalClientError) as error:
        raise Unavailable from error
    return connection


def _session_attributes(database_url: str, urls: Sequence[str]) -> SessionAttribute | None:
    """Return the kind of server to choose among several hosts: the primary, as a standby would refuse writes.

    Return None if there is one host, or if the URL or the environment names the kind.
    """
    is_named = "PGTARGETSESSIONATTRS" in os.environ or names_session_attributes(database_url)
    return None if len(urls) == 1 or is_named else SessionAttribute.read_write


async def _first_connection(
    urls: Sequence[str], limits: TimeLimits, session_attributes: SessionAttribute | None
) -> ServiceConnection:
    """Connect to the hosts, each a little after the one before, and return the first connection that succeeds.

    So a silent host delays the next one by `HEAD_START` only. Raises the error of the host that failed last.
    """
    waiting = list(urls)
    under_way: set[asyncio.Task[ServiceConnection]] = set()
    try:
        while True:
            if waiting:
                under_way.add(asyncio.create_task(_connect_to(waiting.pop(0), limits, session_attributes)))
            ended, under_way = await asyncio.wait(
                under_way, timeout=HEAD_START if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            connected = [each for each in ended if each.exception() is None]
            if connected:
                under_way.update(connected[1:])
                return connected[0].result()
            if not waiting and not under_way:
                return ended.pop().result()
    finally:
        for task in under_way:
            task.cancel()
            task.add_done_callback(_close)


def _close(attempt: "asyncio.Task[ServiceConnection]") -> None:
    """Close the connection to a host that answered when another one had been chosen."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().terminate()


async def _connect_to(url: str, limits: TimeLimits, session_attributes: SessionAttribute | None) -> ServiceConnection:
    connection = await asyncpg.connect(
        url,
        timeout=CONNECT_TIMEOUT,
        connection_class=ServiceConnection,
        command_timeout=limits.command,
        server_settings=server_settings(limits),
        target_session_attrs=session_attributes,
    )
    _keep_alive(connection)
    return connection


def server_settings(limits: TimeLimits) -> dict[str, str]:
    """Return PostgreSQL's settings that a connection with these limits names when it is opened."""
    return _SERVER_SETTINGS | _timeouts(limits)


def _timeouts(limits: TimeLimits) -> dict[str, str]:
    return {
        name: f"{round(1000 * (limit or 0))}ms"
        for name, limit in (
            ("lock_timeout", limits.lock),
            ("statement_timeout", limits.statement),
            ("idle_in_transaction_session_timeout", limits.idle_in_transaction),
        )
    }


def _keep_alive(connection: asyncpg.Connection) -> None:
    """Let the kernel notice that the server's host is lost, also while we only wait for an answer."""
    # asyncpg has no option for it.
    opened: socket.socket = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]  # noqa: SLF001
    if opened.family == socket.AF_UNIX:
        return
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # not every system has all of them
            level = socket.SOL_SOCKET if name.startswith("SO_") else socket.IPPROTO_TCP
            opened.setsockopt(level, getattr(socket, name), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT)


@contextmanager
def translating_errors() -> Iterator[None]:
    """Turn errors that mean that PostgreSQL is unavailable into `Unavailable`. Wrap only calls of the driver."""
    try:
        yield
    except Exception as error:
        if is_unavailable(error):
            raise Unavailable from error
        raise


@contextmanager
def committing() -> Iterator[None]:
    """Wrap a commit: turn `Unavailable` into `OutcomeUnknown` unless the server said that it rolled back.

    Citus says of a commit that failed on a node neither why, nor whether the node lost it.
    """
    try:
        yield
    except Unavailable as error:
        state = _sqlstate(error.__cause__)
        if state is not None and (state[:2] in _ROLLED_BACK_CLASSES or state in _ROLLED_BACK_STATES):
            raise
        raise OutcomeUnknown from error
    except exc.DBAPIError as error:
        if _sqlstate(error) == _FAILED_ON_NODE:
            raise OutcomeUnknown from error
        raise


def is_unavailable(error: BaseException) -> bool:
    """Return whether the error, the driver's or SQLAlchemy's around it, means that the database is unavailable."""
    if isinstance(error, OSError | TimeoutError | exc.TimeoutError | asyncpg.PostgresConnectionError):
        return True
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    state = _sqlstate(error)
    return state is not None and (state[:2] in _UNAVAILABLE_CLASSES or state in _UNAVAILABLE_STATES)


def _sqlstate(error: BaseException | None) -> str | None:
    """Return the SQLSTATE of the driver's error or of SQLAlchemy's around it; None if it has none."""
    original = error.orig if isinstance(error, exc.DBAPIError) else error
    state: str | None = getattr(original, "sqlstate", None)
    return state
