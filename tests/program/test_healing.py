"""The service heals itself after faults, or ends with an exit code. The tests kill and stop real processes."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from tests.conftest import PATIENCE, finished, make_store
from tests.database.conftest import postmaster
from tests.program.conftest import base_url_in, client_of, serving, wait_until_blocked, working

_BACKENDS = "select pid from pg_stat_activity where application_name = 'profile-lookup'"
_LONGER_THAN_PROMISED = 10  # seconds, for busy machines; requests under way would have twenty


async def _is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200


def _found_by(curl: str) -> list[str]:
    """Run the demo's curl command, and return the profiles that it finds."""
    answer = subprocess.run(shlex.split(curl), capture_output=True, check=True, timeout=PATIENCE)
    profiles: list[str] = json.loads(answer.stdout)["profiles"]
    return profiles


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
async def test_the_embedded_postgres_is_started_again_and_no_data_is_lost(data_dir: Path, workers: int) -> None:
    with serving("--demo", DATA_DIR=data_dir, WORKERS=workers) as (process, printed):
        killed = postmaster(data_dir)
        os.kill(killed, signal.SIGKILL)
        async with httpx.AsyncClient(base_url=base_url_in(printed), timeout=PATIENCE) as client:
            async with asyncio.timeout(PATIENCE):
                while not (await _is_ready(client) and postmaster(data_dir) != killed):
                    await asyncio.sleep(0.2)
        assert _found_by(printed[-1])
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "embedded PostgreSQL ended and was started again" in errors


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_serve_ends_with_exit_code_1_if_the_embedded_postgres_does_not_start_again(
    data_dir: Path, workers: int
) -> None:
    with serving(DATA_DIR=data_dir, WORKERS=workers) as (process, _):
        control = data_dir / "data" / "global" / "pg_control"
        control.rename(control.with_suffix(".lost"))  # PostgreSQL cannot start without it
        os.kill(postmaster(data_dir), signal.SIGKILL)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors.count("embedded PostgreSQL ended and did not start again") == 5
    assert errors.splitlines()[-1].startswith("profile-lookup: PostgreSQL did not start: ")


@pytest.mark.slow
def test_serve_ends_with_exit_code_1_if_the_embedded_postgres_is_killed_again_and_again(data_dir: Path) -> None:
    killed = set()
    with serving(DATA_DIR=data_dir) as (process, _):
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(FileNotFoundError, IndexError, ProcessLookupError):
                found = postmaster(data_dir)
                if found not in killed:
                    os.kill(found, signal.SIGKILL)
                    killed.add(found)
            time.sleep(0.02)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert len(killed) == 6
    assert errors.splitlines()[-1].startswith("profile-lookup: PostgreSQL ")


@pytest.mark.slow
def test_a_server_for_tests_ends_with_exit_code_1_if_its_postgres_ends(data_dir: Path) -> None:
    with serving("--ephemeral", CACHE_DIR=data_dir) as (process, _):
        (directory,) = (data_dir / "ephemeral").iterdir()
        os.kill(postmaster(directory), signal.SIGKILL)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith("profile-lookup: PostgreSQL has ended")


def _wait_for_end(processes: list[psutil.Process]) -> None:
    deadline = time.monotonic() + _LONGER_THAN_PROMISED
    while any(_runs(each) for each in processes):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(process: psutil.Process) -> bool:
    """Return whether it runs; in a container, nobody may wait for a process whose parent was killed."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
def test_no_process_outlives_a_supervisor_that_was_killed(database_url: str, tmp_path: Path) -> None:
    with serving(DATABASE_URL=database_url, DATA_DIR=tmp_path, WORKERS=2) as (process, _):
        others = psutil.Process(process.pid).children(recursive=True)
        assert len(others) >= 3  # two that serve, and one that works
        process.kill()
        _wait_for_end(others)


@pytest.mark.slow
async def test_a_request_under_way_does_not_keep_a_process_alive_whose_supervisor_was_killed(
    served_settings: dict[str, object], connection: "asyncpg.Connection[Any]"
) -> None:
    with serving(**served_settings, WORKERS=2) as (process, printed):
        async with client_of(printed) as client:
            await make_store(client)
            others = psutil.Process(process.pid).children(recursive=True)
            async with connection.transaction():
                await connection.execute("lock table store")
                under_way = asyncio.create_task(client.get("/v1/ControlPlane/Stores"))
                await wait_until_blocked(connection)
                process.kill()
                await asyncio.to_thread(_wait_for_end, others)
            with pytest.raises(httpx.TransportError):
                await under_way


@asynccontextmanager
async def _stopped_backends(connection: "asyncpg.Connection[Any]", but: set[int]) -> AsyncIterator[None]:
    """Stop the processes of the database that serve connections of ours, but for some."""
    backends = {row["pid"] for row in await connection.fetch(_BACKENDS)} - but
    assert backends
    for backend in backends:
        os.kill(backend, signal.SIGSTOP)
    try:
        yield
    finally:
        for backend in backends:
            os.kill(backend, signal.SIGCONT)


@pytest.mark.slow
async def test_a_worker_goes_on_when_all_its_connections_are_silent(
    served_settings: dict[str, object], connection: "asyncpg.Connection[Any]"
) -> None:
    with serving(**served_settings, RUN_OPERATIONS=False) as (_, printed):
        async with client_of(printed) as client:
            store_id = await make_store(client)
            of_service = {row["pid"] for row in await connection.fetch(_BACKENDS)}
            with working(**served_settings):
                async with _stopped_backends(connection, of_service):
                    accepted = await client.delete(f"/v1/ControlPlane/Stores/{store_id}")
                    assert (await finished(client, accepted))["status"] == "COMPLETED"


def test_more_connections_than_the_database_accepts_are_warned_of(database_url: str, tmp_path: Path) -> None:
    with serving(DATABASE_URL=database_url, DATA_DIR=tmp_path, POOL_SIZE=200) as (process, _):
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE)
    (warning,) = [json.loads(line) for line in errors.splitlines()]
    assert warning["event"] == "the service may need more connections than the database accepts"
    assert warning["needed"] == 222
    assert warning["accepted"] < 220
