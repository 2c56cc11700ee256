"""Databases that are distributed over nodes of Citus, for the tests that `TEST_CITUS_URL` allows to run."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from profile_lookup.commands.distribute import import_statements
from profile_lookup.database.citus import distribution
from profile_lookup.database.connections import COMMAND_LIMITS
from profile_lookup.database.migrations import migrate
from profile_lookup.database.pool import Database

CITUS_URL = "TEST_CITUS_URL"
NODES = "select nodename, nodeport from pg_dist_node where isactive order by groupid"


@contextmanager
def distributed_template() -> Iterator[str]:
    """Yield the name of a migrated and distributed database, which each node has and to which nobody is connected."""
    if CITUS_URL not in os.environ:
        pytest.skip(f"needs {CITUS_URL}: the URL of a database on a coordinator of Citus that has workers")
    name = f"template_{uuid4().hex}"
    asyncio.run(_make_template(name))
    yield name
    asyncio.run(_on_nodes(f"drop database {name}"))


@contextmanager
def distributed_copy(template: str) -> Iterator[list[str]]:
    """Yield the URLs of a copy of the template, one for each node, the coordinator's first."""
    name = f"test_{uuid4().hex}"
    nodes = asyncio.run(_on_nodes(f"create database {name} template {template} strategy file_copy"))
    asyncio.run(_on_nodes(f"alter database {name} set citus.enable_unsafe_triggers = on"))  # tests have some
    yield [url_of(_url(name), *node) for node in nodes]
    asyncio.run(_on_nodes(f"drop database {name} with (force)"))


async def distribute(url: str) -> list[str]:
    import_statements()
    database = Database(url, pool_size=1, limits=COMMAND_LIMITS)
    try:
        async with database.statements() as connection:
            return [step async for step in distribution.distribute(connection)]
    finally:
        await database.close()


async def _make_template(name: str) -> None:
    nodes = await _on_nodes(f"create database {name}")
    await _on_nodes("create extension citus", name)
    async with _connection(*nodes[0], name) as coordinator:
        await coordinator.execute("select citus_set_coordinator_host($1, $2)", *nodes[0])
        for node in nodes[1:]:
            await coordinator.execute("select citus_add_node($1, $2)", *node)
    await asyncio.to_thread(migrate, _url(name))
    await distribute(_url(name))
    await _on_nodes(f"alter database {name} allow_connections false")
    # The background workers of Citus are connected, too.
    await _on_nodes(f"select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '{name}'")


async def _on_nodes(statement: str, database: str | None = None) -> Sequence[tuple[str, int]]:
    """Run the statement on each node, and return the addresses of the nodes, the coordinator first."""
    async with _connection() as connection:
        nodes = [(name, port) for name, port in await connection.fetch(NODES)]
    for node in nodes:
        async with _connection(*node, database) as connection:
            await connection.execute("set citus.enable_create_database_propagation = off")
            await connection.execute(statement)
    return nodes


@asynccontextmanager
async def _connection(
    host: str | None = None, port: int | None = None, database: str | None = None
) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(os.environ[CITUS_URL], host=host, port=port, database=database)
    try:
        yield connection
    finally:
        await connection.close()


def url_of(database_url: str, host: str, port: int) -> str:
    """Return the URL of the same database on another node."""
    url = urlsplit(database_url)
    user = url.netloc.rpartition("@")[0]
    return url._replace(netloc=f"{user}@{host}:{port}").geturl()


def _url(database: str) -> str:
    return urlsplit(os.environ[CITUS_URL])._replace(path=f"/{database}").geturl()
