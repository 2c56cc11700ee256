"""After a restart, the embedded PostgreSQL reads again what it had in memory."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres
from tests.conftest import PATIENCE

SETTINGS = {"fsync": "off", "shared_buffers": "16MB"}
CACHED = """
    select count(*) from pg_buffercache
    where reldatabase = (select oid from pg_database where datname = current_database())
        and relfilenode = pg_relation_filenode('sample')
"""
"""Counts the blocks of the table that are in memory. It does not read the table."""


@pytest.fixture
def directory() -> Iterator[Path]:
    # Not tmp_path: if root runs the tests, the server runs as another user, who cannot enter its parents.
    with tempfile.TemporaryDirectory(prefix="embedded-") as path:
        Path(path).chmod(0o711)
        yield Path(path) / "pg"


def _fetch(server: EmbeddedPostgres, *statements: str) -> object:
    """Run the statements, and return the only value of the last one."""

    async def fetch() -> object:
        connection = await asyncpg.connect(server.url_as(SUPERUSER), timeout=PATIENCE, command_timeout=PATIENCE)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close(timeout=PATIENCE)

    return asyncio.run(fetch())


@pytest.fixture
def cached_before(directory: Path) -> int:
    """How many blocks of a table were in memory when the server stopped."""
    with EmbeddedPostgres(directory, settings=SETTINGS) as server:
        _fetch(
            server,
            "create extension pg_buffercache",
            "create table sample as select repeat('x', 500) as text from generate_series(1, 3000)",
            "select count(*) from sample",
        )
        count = _fetch(server, CACHED)
    assert isinstance(count, int)
    assert count > 100
    return count


def test_blocks_that_were_in_memory_are_loaded_after_a_restart(directory: Path, cached_before: int) -> None:
    with EmbeddedPostgres(directory, settings=SETTINGS) as server:
        assert _fetch(server, "show pg_prewarm.autoprewarm") == "on"
        deadline = time.monotonic() + PATIENCE
        while (cached := _fetch(server, CACHED)) != cached_before:
            assert time.monotonic() < deadline, (cached_before, cached)


def test_without_the_library_nothing_is_loaded(directory: Path, cached_before: int) -> None:
    assert cached_before
    with EmbeddedPostgres(directory, settings={**SETTINGS, "shared_preload_libraries": ""}) as server:
        assert _fetch(server, CACHED) == 0
