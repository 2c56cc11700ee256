"""A service on a primary and two standbys, which the tests of a module share."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from profile_lookup.database.standbys.positions import Verdict
from profile_lookup.database.standbys.standby import Standby
from profile_lookup.metrics.catalogue import STANDBY_READS
from profile_lookup.settings import Settings, load_settings
from tests.conftest import PATIENCE
from tests.standbys.cluster import Cluster, running_cluster


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that the service runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster(standbys=2) as running:
        yield running


@pytest.fixture
def database_url(cluster: Cluster) -> str:
    return cluster.primary.url()


@pytest.fixture
def settings(cluster: Cluster, tmp_path: Path) -> Settings:
    return settings_for(cluster, tmp_path)


def settings_for(cluster: Cluster, tmp_path: Path) -> Settings:
    return load_settings(
        database_url=cluster.primary.url(), read_database_urls=cluster.standby_urls, data_dir=tmp_path, pool_size=4
    )


def standbys_of(app: FastAPI) -> list[Standby]:
    standbys: list[Standby] = app.state.services.database.standbys.all
    return standbys


def reads_of(standby: Standby, outcome: str) -> float:
    """Return how many reads of a standby ended so, of all services of this process."""
    return STANDBY_READS.counts.get((standby.label, outcome), 0)


async def until(is_so: Callable[[], bool], meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
    """Wait until a condition is true, and call `meanwhile` again and again."""
    async with asyncio.timeout(PATIENCE):
        while not is_so():
            await (asyncio.sleep(0.01) if meanwhile is None else meanwhile())


async def until_used(app: FastAPI, *, numbers: tuple[int, ...] = (1, 2)) -> None:
    """Wait until the standbys with these numbers are used."""
    await until(lambda: all(each.is_used for each in standbys_of(app) if each.number in numbers))


async def until_judged(
    standby: Standby, verdict: Verdict, meanwhile: Callable[[], Awaitable[object]] | None = None
) -> None:
    await until(lambda: standby.verdict is verdict, meanwhile)
