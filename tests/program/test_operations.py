"""Long operations survive the process that works on them. The tests kill real processes without warning."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from profile_lookup.serving import worker_supervisor
from profile_lookup.web import ids
from tests.conftest import PATIENCE, change_settings, finished, look_up, make_profile, make_store
from tests.imports.conftest import create, ended, mappings, upload
from tests.program.conftest import client_of, environment, serving, wait_until_blocked, workers_of, working

PROFILES = 2000
FILL = """
    with made as (
        insert into profile (store_id, id, created_at)
        select cast($1 as uuid), gen_random_uuid(), now() from generate_series(1, $2)
        returning store_id, id
    )
    insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
    select store_id, 'chat', 'Chat-' || row_number() over () || '@x', id, '', now() from made
"""
# A plain `for update` with an offset would also lock the rows that are skipped.
_LOCK_PROFILE = """
    select from profile
    where store_id = $1 and id = (select id from profile where store_id = $1 order by id offset $2 limit 1)
    for update
"""


async def _expire_lease(connection: "asyncpg.Connection[Any]") -> None:
    """Make the lease expire now instead of after some seconds."""
    held = await connection.execute("update operation set leased_until = now() where lease is not null")
    assert held == "UPDATE 1"
    await connection.execute("update operation_turn set ready_at = now()")


async def _rows(connection: "asyncpg.Connection[Any]", table: str) -> int:
    count: int = await connection.fetchval(f"select count(*) from {table}")
    return count


def _names_in(directory: Path) -> list[str]:
    return [each.name for each in directory.iterdir()]


@pytest.mark.slow
async def test_a_deletion_continues_after_the_last_step_of_a_killed_service(
    served_settings: dict[str, object], connection: "asyncpg.Connection[Any]"
) -> None:
    with serving(**served_settings) as (process, printed):
        async with client_of(printed) as client:
            store_id = await make_store(client)
            await connection.execute(FILL, ids.decoded(store_id), PROFILES)
            async with connection.transaction():
                # Blocks the operation after its first steps.
                await connection.execute(_LOCK_PROFILE, ids.decoded(store_id), 1200)
                accepted = await client.delete(f"/v1/ControlPlane/Stores/{store_id}")
                await wait_until_blocked(connection)
                workers = workers_of(process)
                process.kill()
                process.wait(PATIENCE)
                _, alive = psutil.wait_procs(workers, PATIENCE)
                assert (len(workers), alive) == (1, [])  # the worker ended with the service, and released its operation
    assert 0 < await _rows(connection, "profile") < PROFILES
    assert await connection.fetchval("select progress ->> 'after' from operation where completed_at is null")
    with serving(**served_settings) as (_, printed):
        async with client_of(printed) as client:
            # The URL contains the port of the process that was killed.
            path = httpx.URL(accepted.headers["Location"]).path
            accepted.headers["Location"] = str(client.base_url.join(path))
            assert (await finished(client, accepted))["status"] == "COMPLETED"
    assert [await _rows(connection, table) for table in ("profile", "identifier")] == [0, 0]


@pytest.mark.slow
async def test_a_batch_continues_after_a_kill_and_each_profile_is_written_once(
    served_settings: dict[str, object], connection: "asyncpg.Connection[Any]"
) -> None:
    with serving(**served_settings) as (process, printed):
        async with client_of(printed) as client:
            store_id = await make_store(client)
            profiles = [
                {"traits": {"Contact": {"email": f"{n}@x.org", "chat": f"{n % 700 or 700}"}}} for n in range(1000)
            ]
            url = f"/v1/Stores/{store_id}/Profiles"
            await client.post(url, json=profiles[500])
            async with connection.transaction():
                # Blocks the operation after its first steps.
                await connection.execute(_LOCK_PROFILE, ids.decoded(store_id), 0)
                accepted = await client.put(f"{url}/Bulk", json={"profiles": profiles})
                await wait_until_blocked(connection)
                (worker,) = workers_of(process)
                worker.kill()
                process.kill()
                process.wait(PATIENCE)
    done = await connection.fetchval("select count(*) from operation_item where outcome is not null")
    assert 0 < done <= 500
    await _expire_lease(connection)
    with serving(**served_settings) as (_, printed):
        async with client_of(printed) as client:
            path = httpx.URL(accepted.headers["Location"]).path
            accepted.headers["Location"] = str(client.base_url.join(path))
            operation = await finished(client, accepted)
            results = (await client.get(operation["resultUrl"], params={"pageSize": 1000})).json()["results"]
    assert operation["status"] == "COMPLETED"
    expected = ["created"] * 700 + ["updated"] * 300
    expected[500] = "updated"
    assert [result["status"] for result in results] == expected
    assert await _rows(connection, "profile") == 700
    assert await _rows(connection, "identifier") == 1700
    assert await _rows(connection, "event where kind = 'merged'") == 0


async def test_an_import_continues_after_a_kill_and_each_row_is_applied_once(
    served_settings: dict[str, object], connection: "asyncpg.Connection[Any]", tmp_path: Path
) -> None:
    rows = [f"{number}@x.org,{number % 700 or 700}," for number in range(1000)]
    rows[100:100] = ["", "bad"] * 5
    content = "\n".join(["E-mail,chat,First", *rows])
    with serving(**served_settings, UPLOAD_DIR=tmp_path) as (process, printed):
        async with client_of(printed) as client:
            store_id = await make_store(client)
            await make_profile(client, store_id, chat="600")
            columns = mappings(**{"E-mail": "email", "chat": "chat"})
            created = await create(client, store_id, len(content), columns)
            async with connection.transaction():
                # Blocks the operation after its first steps.
                await connection.execute(_LOCK_PROFILE, ids.decoded(store_id), 0)
                await upload(client, created["url"], content.encode())
                await wait_until_blocked(connection)
                (worker,) = workers_of(process)
                worker.kill()
                worker.wait(PATIENCE)
                assert 0 < await connection.fetchval("select created + refused from profile_import") < 1000
            await _expire_lease(connection)
            answer = await ended(client, store_id, created)
            refused = await client.get(answer["refusedRowsUrl"])
    assert answer["status"] == "COMPLETED"
    assert answer["progress"] == {
        "rowsDone": 1005, "rowsTotal": 1005, "created": 699, "updated": 301, "merged": 0, "refused": 5,
        "cellsIgnored": 0, "evicted": 0,
    }  # fmt: skip
    assert [line.split(",")[0] for line in refused.text.splitlines()[1:]] == ["103", "105", "107", "109", "111"]
    assert [await _rows(connection, table) for table in ("profile", "identifier", "operation_piece")] == [700, 1700, 0]
    assert _names_in(tmp_path) == []


async def test_a_change_of_settings_is_rolled_back_by_a_kill_and_then_repeated(
    served_settings: dict[str, object], connection: "asyncpg.Connection[Any]"
) -> None:
    with serving(**served_settings) as (process, printed):
        async with client_of(printed) as client:
            store_id = await make_store(client)
            await connection.execute(FILL, ids.decoded(store_id), PROFILES)
            async with connection.transaction():
                await connection.execute(
                    "select from identifier where store_id = $1 order by value limit 1 for update",
                    ids.decoded(store_id),
                )
                changing = asyncio.create_task(change_settings(client, store_id, chat={"normalization": "email"}))
                await wait_until_blocked(connection)
                (worker,) = workers_of(process)
                worker.kill()
                process.kill()
                process.wait(PATIENCE)
            with pytest.raises(httpx.TransportError):
                await changing
    async with asyncio.timeout(PATIENCE):  # the server notices only now that its client has ended
        while await connection.fetchval(
            "select count(*) from pg_stat_activity where application_name = 'profile-lookup'"
            " and datname = current_database() and state <> 'idle'"
        ):
            await asyncio.sleep(0.01)
    assert await connection.fetchval("select count(*) from identifier where value like 'Chat-%'") == PROFILES
    await _expire_lease(connection)
    with serving(**served_settings) as (_, printed):
        async with client_of(printed) as client, asyncio.timeout(PATIENCE):
            while await _rows(connection, "operation where completed_at is null"):
                await asyncio.sleep(0.05)
            assert len(await look_up(client, store_id, "chat", "CHAT-7@x")) == 1
    assert await connection.fetchval("select count(*) from identifier where value like 'chat-%'") == PROFILES


async def test_a_killed_worker_is_restarted_while_the_service_continues(
    served_settings: dict[str, object], connection: "asyncpg.Connection[Any]"
) -> None:
    with serving(**served_settings, WORKERS=2) as (process, printed):
        async with client_of(printed) as client:
            store_id = await make_store(client)
            await connection.execute(FILL, ids.decoded(store_id), PROFILES)
            async with connection.transaction():
                await connection.execute(_LOCK_PROFILE, ids.decoded(store_id), 1200)
                accepted = await client.delete(f"/v1/ControlPlane/Stores/{store_id}")
                await wait_until_blocked(connection)
                (worker,) = workers_of(process)  # one worker for both processes
                assert worker.nice() == min(psutil.Process(process.pid).nice() + 10, 19)
                worker.kill()
                worker.wait(PATIENCE)
                assert (await client.get(accepted.headers["Location"])).json()["status"] == "RUNNING"
            await _expire_lease(connection)
            assert (await finished(client, accepted))["status"] == "COMPLETED"
        (another,) = workers_of(process)
        assert another != worker
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE)
    assert [json.loads(line)["event"] for line in errors.splitlines()] == ["worker process ended"]
    assert not another.is_running()
    assert [await _rows(connection, table) for table in ("profile", "identifier")] == [0, 0]


def test_starting_the_worker_is_retried_if_it_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr(worker_supervisor, "FIRST_WAIT", 0.01)
    deadline = time.monotonic() + PATIENCE
    with worker_supervisor.worker_process({}):
        while caplog.messages.count("worker process could not be started") < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)


async def test_a_separate_worker_does_the_operations_if_serve_does_not(
    served_settings: dict[str, object], connection: "asyncpg.Connection[Any]"
) -> None:
    with serving(**served_settings, RUN_OPERATIONS=False) as (process, printed):
        assert workers_of(process) == []
        async with client_of(printed) as client:
            store_id = await make_store(client)
            await connection.execute(FILL, ids.decoded(store_id), 10)
            accepted = await client.delete(f"/v1/ControlPlane/Stores/{store_id}")
            await asyncio.sleep(1)
            assert (await client.get(accepted.headers["Location"])).json()["status"] == "PENDING"
            with working(**served_settings):
                assert (await finished(client, accepted))["status"] == "COMPLETED"


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
async def test_a_signal_ends_a_worker_in_order_and_it_releases_its_operation(
    served_settings: dict[str, object], connection: "asyncpg.Connection[Any]", signal_number: int
) -> None:
    with serving(**served_settings, RUN_OPERATIONS=False) as (_, printed):
        async with client_of(printed) as client:
            store_id = await make_store(client)
            await connection.execute(FILL, ids.decoded(store_id), 1000)
            async with connection.transaction():
                await connection.execute(_LOCK_PROFILE, ids.decoded(store_id), 700)
                await client.delete(f"/v1/ControlPlane/Stores/{store_id}")
                with working(**served_settings) as process:
                    await wait_until_blocked(connection)
                    process.send_signal(signal_number)
                    printed_last, errors = process.communicate(timeout=PATIENCE)
                    assert (process.returncode, printed_last, errors) == (0, "", "")
    ((lease, leased_until),) = await connection.fetch(
        "select lease, leased_until from operation where completed_at is null"
    )
    assert (lease, leased_until) == (None, None)


def test_a_worker_reports_a_schema_of_another_version_in_one_line(empty_database_url: str) -> None:
    failed = subprocess.run(
        [sys.executable, "-m", "profile_lookup", "worker"], env=environment(DATABASE_URL=empty_database_url),
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "profile-lookup: The schema is not this version's: run `profile-lookup migrate`\n"
