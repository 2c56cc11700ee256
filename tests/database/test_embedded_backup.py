"""A copy of the embedded PostgreSQL, made while it serves, is a cluster that a server starts on."""

import os
import stat
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from profile_lookup.database.embedded.backup import back_up
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres
from tests.databases import RUN_DIRECTORY, execute

UNSAFE = {"fsync": "off"}  # no data survives the run


@pytest.fixture
def directory() -> Path:
    made = Path(os.environ[RUN_DIRECTORY]) / uuid4().hex
    made.mkdir()
    made.chmod(0o711)
    return made


async def test_a_copy_has_the_rows_that_were_committed_before_and_stays_private(directory: Path) -> None:
    original, copy = directory / "original", directory / "copy"
    copy.mkdir()
    copy.chmod(0o711)
    with EmbeddedPostgres(original, settings=UNSAFE) as server:
        await execute(server.url, "create table kept as select generate_series(1, 1000) as number")
        await back_up(server.url_as(SUPERUSER), original / "data", copy / "data")
        await execute(server.url, "insert into kept values (0)")
        with EmbeddedPostgres(copy, settings=UNSAFE) as restored:
            connection = await asyncpg.connect(restored.url)
            assert await connection.fetchval("select array_agg(number) from kept") == [*range(1, 1001)]
            await connection.close()
    assert stat.S_IMODE((copy / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((copy / "data/passwords.json").stat().st_mode) == 0o600
