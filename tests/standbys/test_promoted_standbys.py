"""A server that has become another database's primary is not used, nor is one that follows it."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.database.standbys.positions import Verdict
from profile_lookup.settings import Settings, load_settings
from tests.conftest import look_up, make_profile
from tests.databases import TEMPLATE, database_copy
from tests.standbys.cluster import PLAIN, Cluster, running_cluster
from tests.standbys.conftest import standbys_of, until_judged, until_used

EMAIL = "ann@example.com"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster of this test alone, which becomes two."""
    with running_cluster(standbys=2) as running:
        yield running


@pytest.fixture
def another_cluster(server_url: str) -> Iterator[str]:
    yield from database_copy(server_url, TEMPLATE)


@pytest.fixture
def settings(cluster: Cluster, another_cluster: str, tmp_path: Path) -> Settings:
    urls = [cluster.standby_urls, another_cluster, cluster.standbys[0].url(PLAIN)]
    return load_settings(database_url=cluster.primary.url(), read_database_urls=",".join(urls), data_dir=tmp_path)


async def test_only_copies_on_the_primarys_timeline_are_used(
    cluster: Cluster, app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    profile_id = await make_profile(client, store_id, email=EMAIL)

    async def is_found() -> None:
        assert await look_up(client, store_id, "email", EMAIL) == [profile_id]

    promoted, follower, foreign, hidden = standbys_of(app)
    await until_used(app)
    await until_judged(hidden, Verdict.HIDDEN, is_found)
    await until_judged(foreign, Verdict.FOREIGN, is_found)

    await cluster.standbys[0].promote()
    await cluster.standbys[0].execute("delete from identifier")
    await until_judged(promoted, Verdict.PROMOTED, is_found)
    await until_used(app, numbers=(2,))

    source = urlsplit(cluster.standbys[0].url("postgres"))
    await cluster.standbys[1].execute(
        f"alter system set primary_conninfo = 'host={source.hostname} port={source.port} user=postgres'"
    )
    await cluster.standbys[1].execute("select pg_reload_conf()")
    await until_judged(follower, Verdict.OTHER_TIMELINE, is_found)
    for _ in range(10):
        await is_found()
