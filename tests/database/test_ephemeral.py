"""Servers for tests: a new database at each start, which nothing outlives."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from profile_lookup.database.embedded.ephemeral import ephemeral_postgres
from profile_lookup.database.embedded.errors import EmbeddedPostgresError
from tests.database.test_embedded import guard_of, postgres_of, run, url_of
from tests.databases import RUN_DIRECTORY
from tests.waiting import eventually

HELPER = """
import sys
from pathlib import Path
from tests.database.test_ephemeral import migrate
from profile_lookup.database.embedded.ephemeral import ephemeral_postgres
with ephemeral_postgres(Path(sys.argv[1]), "key", migrate) as server:
    print(server.directory, flush=True)
    sys.stdin.read()
"""


def migrate(url: str) -> None:
    """Do what migrations do, and fail if a template is migrated twice."""
    run(url, "CREATE TABLE sample (value text)")


@pytest.fixture
def cache() -> Path:
    # Not tmp_path: if root runs the tests, the server runs as another user, who cannot enter its parents.
    return Path(os.environ[RUN_DIRECTORY]) / uuid4().hex


@contextmanager
def another_process(cache: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start a process that has a server until its input ends, and yield it with the server's directory."""
    with subprocess.Popen(
        [sys.executable, "-c", HELPER, str(cache)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:  # fmt: skip
        try:
            yield process, Path(url_of(process))
        finally:
            process.kill()


def template_of(cache: Path) -> Path:
    (template,) = cache.glob("template-*")
    return template


def directories(cache: Path) -> list[Path]:
    return list((cache / "ephemeral").iterdir())


def test_each_start_has_the_migrated_tables_without_rows_and_leaves_nothing(cache: Path) -> None:
    for _ in range(2):
        with ephemeral_postgres(cache, "key", migrate) as server:
            assert run(server.url, "SELECT value FROM sample") == []
            run(server.url, "INSERT INTO sample VALUES ('new')")
            (server.directory / "file").touch()
        assert directories(cache) == []


def test_two_servers_at_once_know_nothing_of_each_other(cache: Path) -> None:
    with ephemeral_postgres(cache, "key", migrate) as first, ephemeral_postgres(cache, "key", migrate) as second:
        run(first.url, "INSERT INTO sample VALUES ('first')")
        assert run(second.url, "SELECT value FROM sample") == []
        assert len(directories(cache)) == 2


def test_first_starts_at_once_make_one_template(cache: Path) -> None:
    migrated: list[str] = []

    def start(_: int) -> None:
        with ephemeral_postgres(cache, "key", migrated.append):
            pass

    with ThreadPoolExecutor() as executor:
        list(executor.map(start, range(3)))
    assert len(migrated) == 1
    assert len(list(cache.glob("template-*"))) == 1


def test_another_key_has_another_template(cache: Path) -> None:
    migrated: list[str] = []
    for key in ("one", "two", "one"):
        with ephemeral_postgres(cache, key, migrated.append):
            pass
    assert len(migrated) == 2


def test_a_template_that_nobody_used_for_a_month_is_removed(cache: Path) -> None:
    with ephemeral_postgres(cache, "old", migrate):
        pass
    os.utime(template_of(cache), (0, 0))
    with ephemeral_postgres(cache, "new", migrate):
        pass
    assert template_of(cache).name.startswith("template-new")


def test_nothing_is_left_when_the_user_is_killed(cache: Path) -> None:
    with another_process(cache) as (process, directory):
        assert (directory / "data").exists()
        process.kill()
        process.wait()
        eventually(lambda: directories(cache) == [])


@pytest.mark.slow
def test_the_next_start_removes_what_is_left_when_user_guard_and_postgres_are_killed(cache: Path) -> None:
    with another_process(cache) as (process, directory):
        for pid in (guard_of(directory), postgres_of(directory), process.pid):
            with suppress(ProcessLookupError):  # PostgreSQL ends by itself soon after its guard
                os.kill(pid, signal.SIGKILL)
        process.wait()
    assert directories(cache) == [directory]

    def is_removed() -> bool:
        with ephemeral_postgres(cache, "key", migrate):
            return not directory.exists()

    eventually(is_removed)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["PG_VERSION", "global/pg_control", "base"])
def test_a_template_that_lacks_files_is_made_again(cache: Path, damage: str) -> None:
    with ephemeral_postgres(cache, "key", migrate):
        pass
    damaged = template_of(cache) / "data" / damage
    subprocess.run(["rm", "-r", damaged], check=True)
    with ephemeral_postgres(cache, "key", migrate) as server:
        assert run(server.url, "SELECT value FROM sample") == []
    assert damaged.exists()


@pytest.mark.slow
def test_a_template_that_postgres_refuses_is_made_again(cache: Path) -> None:
    with ephemeral_postgres(cache, "key", migrate):
        pass
    control = template_of(cache) / "data" / "global" / "pg_control"
    control.write_bytes(bytes(control.stat().st_size))
    with ephemeral_postgres(cache, "key", migrate) as server:
        assert run(server.url, "SELECT value FROM sample") == []


@pytest.mark.slow
def test_an_interrupted_template_is_made_again(cache: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HELPER, str(cache)], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ) as process:
        eventually(lambda: bool(list(cache.glob("template-key*.unfinished/data.unfinished/PG_VERSION"))))
        process.kill()
    with ephemeral_postgres(cache, "key", migrate) as server:
        assert run(server.url, "SELECT value FROM sample") == []
    assert not template_of(cache).name.endswith(".unfinished")


def test_a_failure_of_the_migration_is_raised_and_leaves_no_template(cache: Path) -> None:
    def fail(url: str) -> None:
        run(url, "SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError), ephemeral_postgres(cache, "key", fail):
        pass
    assert not list(cache.glob("template-*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_cache_of_another_user_is_refused(cache: Path) -> None:
    cache.mkdir()
    os.chown(cache, 12345, 12345)
    with pytest.raises(EmbeddedPostgresError, match="another user"), ephemeral_postgres(cache, "key", migrate):
        pass


def test_a_file_in_place_of_the_cache_is_refused_with_the_setting_to_change(cache: Path) -> None:
    cache.touch()
    with (
        pytest.raises(EmbeddedPostgresError, match="PROFILE_LOOKUP_CACHE_DIR") as caught,
        ephemeral_postgres(cache, "key", migrate),
    ):
        pass
    assert str(cache) in str(caught.value)


def test_commits_wait_for_no_disk(cache: Path) -> None:
    async def settings(url: str) -> list[str]:
        connection = await asyncpg.connect(url)
        names = ("fsync", "synchronous_commit", "full_page_writes")
        values = [await connection.fetchval(f"SHOW {name}") for name in names]
        await connection.close()
        return values

    with ephemeral_postgres(cache, "key", migrate) as server:
        assert asyncio.run(settings(server.url)) == ["off", "off", "off"]
