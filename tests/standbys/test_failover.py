"""If the primary is killed and its synchronous standby is promoted, writes go on, and none that was answered is lost."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.settings import Settings, load_settings
from tests.conftest import PATIENCE, look_up
from tests.standbys.cluster import DATABASE, SERVICE, Cluster, running_cluster
from tests.standbys.conftest import until, until_used

log = logging.getLogger(__name__)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with running_cluster(standbys=2) as running:
        yield running


@pytest.fixture
def settings(cluster: Cluster, tmp_path: Path) -> Settings:
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in (cluster.primary, cluster.standbys[0]))
    return load_settings(
        database_url=f"postgresql://{SERVICE}@{hosts}/{DATABASE}?target_session_attrs=read-write",
        read_database_urls=cluster.standby_urls,
        data_dir=tmp_path,
    )


@dataclass
class Writers:
    """Clients that create profiles, one after the other. `accepted` has the profile of each e-mail address."""

    client: httpx.AsyncClient
    path: str
    accepted: dict[str, str] = field(default_factory=dict)
    last_accepted_at: float = 0.0
    statuses: set[int] = field(default_factory=set)

    async def write(self, writer: int) -> None:
        number = 0
        while True:
            email = f"ann{writer}.{number}@example.com"
            answer = await self.client.post(self.path, json={"traits": {"Contact": {"email": email}}})
            self.statuses.add(answer.status_code)
            if answer.status_code == 202:
                self.accepted[email] = answer.json()["id"]
                self.last_accepted_at = monotonic()
                number += 1
            else:
                number += 1
                await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def writing(self, writers: int) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.write(writer)) for writer in range(writers)]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _fail_over(cluster: Cluster, app: FastAPI, writers: Writers, count: int) -> tuple[float, float]:
    """Kill the primary under writers and promote a standby.

    Return in how many seconds writes went on after the kill, and after the promotion.
    """
    primary, promoted = cluster.primary, cluster.standbys[0]
    await until_used(app)
    await primary.execute(f"alter system set synchronous_standby_names = '{promoted.data.name}'")
    await primary.execute("select pg_reload_conf()")
    async with writers.writing(count):
        await until(lambda: len(writers.accepted) > 20 * count)
        killed_at = monotonic()
        await asyncio.to_thread(primary.kill)
        await promoted.promote()
        promoted_at = monotonic()
        await until(lambda: writers.last_accepted_at > promoted_at)
        first_accepted_at = writers.last_accepted_at
        goal = len(writers.accepted) + 20 * count
        await until(lambda: len(writers.accepted) > goal)
    assert writers.statuses <= {202, 503}
    return first_accepted_at - killed_at, first_accepted_at - promoted_at


async def _all_are_found(writers: Writers, store_id: str) -> None:
    async with asyncio.timeout(PATIENCE):
        for email, profile_id in writers.accepted.items():
            assert await look_up(writers.client, store_id, "email", email) == [profile_id]


async def test_writes_go_on_after_a_failover_and_none_is_lost(
    cluster: Cluster, app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    writers = Writers(client, f"/v1/Stores/{store_id}/Profiles")
    await _fail_over(cluster, app, writers, 4)
    await _all_are_found(writers, store_id)


@pytest.mark.slow
async def test_sixteen_writers_lose_nothing_in_failovers(
    cluster: Cluster, app: FastAPI, client: httpx.AsyncClient, store_id: str, pytestconfig: pytest.Config
) -> None:
    writers = Writers(client, f"/v1/Stores/{store_id}/Profiles")
    since_kill, since_promotion = await _fail_over(cluster, app, writers, pytestconfig.getoption("--writers"))
    await _all_are_found(writers, store_id)
    log.warning(
        "the first write was accepted %.2f s after the kill, %.2f s after the promotion; %d writes, all there",
        since_kill,
        since_promotion,
        len(writers.accepted),
    )
