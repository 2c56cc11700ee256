"""Whatever happens to standbys, no read fails, and none misses a write that was answered before it began."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.database.standbys.positions import Verdict
from profile_lookup.database.standbys.standby import Standby
from profile_lookup.metrics.catalogue import STANDBY_LAG, STANDBY_USED
from tests.conftest import change_settings, look_up, make_profile
from tests.standbys.cluster import Cluster
from tests.standbys.conftest import reads_of, standbys_of, until, until_judged, until_used

Pair = Callable[[], Awaitable[None]]


@pytest.fixture
async def pair(client: httpx.AsyncClient, store_id: str) -> Pair:
    """A function that creates a profile, and then looks it up."""
    numbers = iter(range(1_000_000))

    async def create_and_look_up() -> None:
        email = f"ann{next(numbers)}@example.com"
        profile_id = await make_profile(client, store_id, email=email)
        assert await look_up(client, store_id, "email", email) == [profile_id]

    return create_and_look_up


def _answered(standby: Standby) -> float:
    return reads_of(standby, "answered")


def _failed(app: FastAPI) -> float:
    return sum(reads_of(standby, "failed") for standby in standbys_of(app))


async def _until_both_answer(app: FastAPI, read: Callable[[], Awaitable[object]]) -> None:
    await until_used(app)
    before = [_answered(standby) for standby in standbys_of(app)]
    await until(
        lambda: all(_answered(standby) > count for standby, count in zip(standbys_of(app), before, strict=True)), read
    )


async def test_a_lookup_sees_each_write_that_was_answered_before(app: FastAPI, pair: Pair) -> None:
    await _until_both_answer(app, pair)
    before = sum(map(_answered, standbys_of(app)))
    for _ in range(20):
        await asyncio.gather(*(pair() for _ in range(8)))
    assert sum(map(_answered, standbys_of(app))) > before


async def test_metrics_say_which_standbys_answer_and_how_late_they_are(
    cluster: Cluster, app: FastAPI, pair: Pair
) -> None:
    await _until_both_answer(app, pair)
    late, other = standbys_of(app)
    late_before, answered_before = reads_of(late, "late"), _answered(other)
    await cluster.standbys[0].execute("select pg_wal_replay_pause()")
    try:
        await until_judged(late, Verdict.LATE, pair)
        await until(lambda: STANDBY_LAG.values[late.label,] > 0, pair)
        assert STANDBY_USED.values[late.label,] == 0
        await until(lambda: reads_of(late, "late") > late_before and _answered(other) > answered_before, pair)
    finally:
        await cluster.standbys[0].execute("select pg_wal_replay_resume()")
    await until_used(app)
    assert STANDBY_USED.values[late.label,] == 1


async def test_a_standby_whose_replay_is_paused_is_not_used_until_it_goes_on(
    cluster: Cluster, app: FastAPI, pair: Pair
) -> None:
    await _until_both_answer(app, pair)
    for server in cluster.standbys:
        await server.execute("select pg_wal_replay_pause()")
    try:
        for standby in standbys_of(app):
            await until_judged(standby, Verdict.LATE, pair)
        answered = [_answered(standby) for standby in standbys_of(app)]
        await pair()
        assert [_answered(standby) for standby in standbys_of(app)] == answered
    finally:
        for server in cluster.standbys:
            await server.execute("select pg_wal_replay_resume()")
    await _until_both_answer(app, pair)


async def test_a_standby_that_was_killed_is_used_again_when_it_is_back(
    cluster: Cluster, app: FastAPI, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    await _until_both_answer(app, pair)
    first, second = standbys_of(app)
    cluster.standbys[0].kill()
    await until_judged(first, Verdict.SILENT, pair)
    before = _answered(second)
    await until(lambda: _answered(second) > before, pair)
    cluster.standbys[0].start()
    await _until_both_answer(app, pair)
    said = [record.getMessage() for record in caplog.records if record.name.endswith("standby")]
    assert any(f":{cluster.standbys[0].port}" in each and Verdict.SILENT.value in each for each in said)


async def test_a_standby_that_falls_silent_delays_lookups_and_fails_none(
    cluster: Cluster, app: FastAPI, pair: Pair
) -> None:
    await _until_both_answer(app, pair)
    cluster.standbys[1].pause()
    try:
        await until(lambda: not standbys_of(app)[1].is_used, pair)
        await pair()
    finally:
        cluster.standbys[1].resume()
    await _until_both_answer(app, pair)


async def test_a_revoked_key_is_refused_at_once(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, pair: Pair
) -> None:
    await _until_both_answer(app, pair)
    for _ in range(10):
        key = (await client.post("/v1/ControlPlane/Keys", json={"name": "k", "scopes": ["lookup"]})).json()
        body = {"idType": "email", "value": "ann0@example.com"}
        look = partial(
            client.post, f"/v1/Stores/{store_id}/Profiles/Lookup", json=body, auth=(key["sid"], key["secret"])
        )
        assert (await look()).status_code == 200
        assert (await client.delete(f"/v1/ControlPlane/Keys/{key['sid']}")).is_success
        assert (await look()).status_code == 401


async def test_changed_settings_apply_at_once(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, pair: Pair
) -> None:
    await _until_both_answer(app, pair)
    for id_type in ("loyalty", "member", "ticket"):
        path = f"/v1/Stores/{store_id}/Profiles/Lookup"
        assert (await client.post(path, json={"idType": id_type, "value": "1"})).status_code == 400
        await change_settings(client, store_id, rules=None, **{id_type: {}})
        assert (await client.post(path, json={"idType": id_type, "value": "1"})).status_code == 200


async def test_batch_and_fuzzy_lookups_and_profiles_are_read_from_standbys_too(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    await change_settings(client, store_id, email={"matchingAlgo": "fuzzy", "enforceUnique": False})
    profile_id = await make_profile(client, store_id, email="carol@example.com")
    path = f"/v1/Stores/{store_id}/Profiles"
    batch = {"identifiers": [{"idType": "phone", "value": "+13175556789"}]}
    reads: list[Callable[[], Awaitable[httpx.Response]]] = [
        partial(client.get, f"{path}/{profile_id}"),
        partial(client.post, f"{path}/Lookup", json={"idType": "email", "value": "carol@example.com"}),
        partial(client.post, f"{path}/Lookup/Batch", json=batch),
    ]
    for read in reads:
        await until_used(app)
        before = sum(map(_answered, standbys_of(app)))

        async def answers(read: Callable[[], Awaitable[httpx.Response]] = read) -> None:
            assert (await read()).status_code == 200

        await until(lambda before=before: sum(map(_answered, standbys_of(app))) > before, answers)  # type: ignore[misc]


async def test_a_read_whose_standby_is_lost_meanwhile_is_repeated_on_the_primary(
    cluster: Cluster, app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    profile_id = await make_profile(client, store_id, email="dan@example.com")
    path = f"/v1/Stores/{store_id}/Profiles/{profile_id}"
    await _until_both_answer(app, partial(client.get, path))
    failed_before = _failed(app)
    backends = [pid for server in cluster.standbys for pid in await _pooled_backends(server.url())]
    assert backends
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    reading = asyncio.create_task(client.get(path))
    await asyncio.sleep(0.3)
    for pid in backends:
        os.kill(pid, signal.SIGKILL)
    assert (await reading).status_code == 200
    assert _failed(app) > failed_before
    await until_used(app)


async def _pooled_backends(url: str) -> list[int]:
    """Return the process IDs of the connections over which snapshots are read."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "select pid from pg_stat_activity where application_name = 'profile-lookup' and query like 'COMMIT%'"
        )
        return [row["pid"] for row in rows]
    finally:
        await connection.close()
