"""Databases for tests: each is a copy of one that was migrated once, on a PostgreSQL that the whole run shares."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from filelock import FileLock

from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.database.migrations import migrate

RUN_DIRECTORY = "TEST_RUN_DIRECTORY"
SERVER_URL = "TEST_SERVER_URL"
TEMPLATE = "template_migrated"


@contextmanager
def migrated_server() -> Iterator[str]:
    """Yield the URL of a server that has the template: an embedded one, or the one of `TEST_SERVER_URL`."""
    with _server() as url:
        with FileLock(f"{os.environ[RUN_DIRECTORY]}/template.lock"):
            if not asyncio.run(_exists(url, TEMPLATE)):
                asyncio.run(execute(url, "create database migrating"))
                migrate(url_of(url, "migrating"))
                asyncio.run(execute(url, f"alter database migrating rename to {TEMPLATE}"))
        yield url


@contextmanager
def _server() -> Iterator[str]:
    if SERVER_URL in os.environ:  # a superuser's, on a server that is there for this run alone
        yield os.environ[SERVER_URL]
        return
    settings = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}  # no data survives the run
    with EmbeddedPostgres(Path(os.environ[RUN_DIRECTORY]) / "postgres", settings=settings) as server:
        yield server.url_as(SUPERUSER)


def url_of(server_url: str, database: str) -> str:
    return urlsplit(server_url)._replace(path=f"/{database}").geturl()


def database_copy(server_url: str, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    # Copying the files, which are few, is four times as fast as writing their pages to the log.
    asyncio.run(execute(server_url, f"create database {name} template {template} strategy file_copy"))
    yield url_of(server_url, name)
    asyncio.run(execute(server_url, f"drop database {name} with (force)"))


async def execute(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url)
    await connection.execute(statement)
    await connection.close()


async def _exists(server_url: str, database: str) -> bool:
    connection = await asyncpg.connect(server_url)
    found = await connection.fetchval("select true from pg_database where datname = $1", database)
    await connection.close()
    return bool(found)
