"""Connections that fall silent, without being closed, stop requests for some seconds and nobody for good.

A tap on the wire falls silent as a lost host does, and a backend is stopped as a paused one is.
"""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text

from profile_lookup.database import backend_watch
from profile_lookup.database.connections import REQUEST_LIMITS, connect
from profile_lookup.database.copying import copy_rows
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.database.single_queries.dedicated_connection import DedicatedConnection
from profile_lookup.errors import Unavailable
from tests.conftest import PATIENCE
from tests.database.conftest import own_server
from tests.database.tap import Tap, tapped
from tests.databases import execute

_BACKEND = text("select pg_backend_pid()")
_LOCK = text("select pg_advisory_xact_lock(1)")
_BEFORE_THE_OLD_LIMIT = 12  # seconds; a silent connection used to be given up after fifteen


@contextmanager
def _stopped(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


async def _backend(database: Database) -> int:
    async with database.transaction() as connection:
        backend: int = (await connection.execute(_BACKEND)).scalar_one()
        return backend


@pytest.fixture
async def tap(database_url: str) -> AsyncIterator[Tap]:
    async with tapped(database_url) as opened:
        yield opened
        opened.flows.set()


async def test_a_write_on_a_stopped_backend_is_given_up_and_the_next_one_succeeds(database_url: str) -> None:
    database = Database(database_url, pool_size=2)
    backend = await _backend(database)
    with _stopped(backend):
        async with asyncio.timeout(_BEFORE_THE_OLD_LIMIT):
            with pytest.raises(Unavailable):
                await _backend(database)
            assert await _backend(database) != backend
    await database.close()


async def _copy_a_profile(database: Database, before_the_copy: Callable[[int], object]) -> None:
    """Copy a row in a transaction, and call the function with the process ID of its backend before."""
    async with database.transaction() as connection:
        before_the_copy((await connection.execute(_BACKEND)).scalar_one())
        row = (new_id(), new_id(), datetime.now(UTC))
        await copy_rows(connection, "profile", ("store_id", "id", "created_at"), [row])


@pytest.mark.slow
async def test_a_copy_on_a_stopped_backend_is_given_up_and_the_next_one_succeeds(database_url: str) -> None:
    database = Database(database_url, pool_size=2)
    async with asyncio.timeout(_BEFORE_THE_OLD_LIMIT):
        with ExitStack() as stack:
            with pytest.raises(Unavailable):
                await _copy_a_profile(database, lambda backend: stack.enter_context(_stopped(backend)))
            await _copy_a_profile(database, lambda _: None)
    await database.close()


@pytest.mark.slow
async def test_silence_of_one_connection_makes_the_pool_open_all_anew(tap: Tap) -> None:
    database = Database(tap.url, pool_size=4)
    await asyncio.gather(*[_backend(database) for _ in range(4)])
    tap.flows.clear()
    async with asyncio.timeout(_BEFORE_THE_OLD_LIMIT):
        with pytest.raises(Unavailable):
            await _backend(database)
        before = tap.connections
        tap.flows.set()
        await asyncio.gather(*[_backend(database) for _ in range(4)])
    assert tap.connections == before + 4
    await database.close()


async def test_a_query_is_answered_on_a_new_connection_when_its_own_is_silent(database_url: str) -> None:
    dedicated = DedicatedConnection(database_url)
    ((backend,),) = await dedicated.fetch("select pg_backend_pid()", (), PATIENCE)
    with _stopped(backend):
        for query in ("select pg_backend_pid()", "select pg_backend_pid() as another"):
            ((another,),) = await dedicated.fetch(query, (), PATIENCE)
            assert another != backend
    await dedicated.close()


@pytest.mark.parametrize("spelling", ["authority", "query"])
async def test_a_silent_host_does_not_hide_the_next_one(database_url: str, tap: Tap, spelling: str) -> None:
    async with tapped(database_url) as other:
        tap.flows.clear()
        connection = await connect(_several(tap.url, other.url, spelling), REQUEST_LIMITS)
        assert await connection.fetchval("select 1") == 1
        assert (tap.connections, other.connections) == (1, 1)
        await connection.close()


def _several(first: str, second: str, spelling: str) -> str:
    """Return a URL of the hosts of two URLs of taps."""
    ports = [url.partition("127.0.0.1:")[2].partition("/")[0] for url in (first, second)]
    if spelling == "authority":
        return first.replace(f"127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}")
    named = first.replace(f"127.0.0.1:{ports[0]}", "")
    return f"{named}&host=127.0.0.1,127.0.0.1&port={','.join(ports)}"


@pytest.mark.slow
async def test_lookups_and_writes_go_on_at_the_other_host_when_one_falls_silent(database_url: str, tap: Tap) -> None:
    async with tapped(database_url) as other:
        url = _several(tap.url, other.url, "authority")
        database = Database(url, pool_size=2)
        await asyncio.gather(_backend(database), _backend(database), database.fetch("select 1"))
        tap.flows.clear()
        async with asyncio.timeout(_BEFORE_THE_OLD_LIMIT):
            ((one,),) = await database.fetch("select 1")
            with suppress(Unavailable):
                await _backend(database)
            assert await _backend(database)
        assert one == 1
        await database.close()


async def test_of_several_hosts_the_one_that_accepts_writes_is_used(own_directory: Path) -> None:
    """The standby is a server whose transactions are read-only by default, as those of a standby are."""
    with own_server(own_directory / "standby") as standby, own_server(own_directory / "primary") as primary:
        servers = [server.url_as(SUPERUSER) for server in (standby, primary)]
        for url in servers:
            await execute(url, "create role client login password 'same'")
        await execute(servers[0], "alter role client set default_transaction_read_only = on")
        hosts = [parse_qs(urlsplit(url).query)["host"][0] for url in servers]
        connection = await connect(f"postgresql://client:same@/postgres?host={','.join(hosts)}&port=5432")
        assert await connection.fetchval("show default_transaction_read_only") == "off"
        await connection.close()


@pytest.mark.slow
async def test_a_transaction_that_stands_still_locks_others_out_for_some_seconds_only(database: Database) -> None:
    async def lock() -> None:
        async with database.transaction() as connection:
            await connection.execute(_LOCK)

    async def stand_still() -> None:
        async with database.transaction() as connection:
            await connection.execute(_LOCK)
            with pytest.raises(Unavailable):
                await lock()
            await lock()
            await connection.execute(_BACKEND)

    async with asyncio.timeout(_BEFORE_THE_OLD_LIMIT):
        with pytest.raises(Unavailable):
            await stand_still()


async def test_a_kept_connection_has_keepalives_on_both_ends(tap: Tap) -> None:
    connection = await connect(tap.url)
    opened = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]
    assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 4000
    await connection.close()


@pytest.mark.slow
async def test_a_watched_statement_may_last_longer_than_any_limit(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend_watch, "INTERVAL", 0.1)
    database = Database(database_url, pool_size=1)
    async with database.watched_transaction() as connection:
        await connection.execute(text("select pg_sleep(6)"))
    await database.close()


@pytest.mark.slow
async def test_a_watched_statement_ends_if_both_connections_are_silent(
    tap: Tap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend_watch, "INTERVAL", 0.1)
    monkeypatch.setattr(backend_watch, "LONGEST_SILENCE", 1.0)
    database = Database(tap.url, pool_size=1)

    async def write() -> None:
        async with database.watched_transaction() as connection:
            tap.flows.clear()
            await connection.execute(_BACKEND)

    async with asyncio.timeout(PATIENCE):
        with pytest.raises(Unavailable, match="stopped working"):
            await write()
    tap.flows.set()
    await database.close()
