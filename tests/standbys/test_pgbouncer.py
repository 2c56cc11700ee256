"""Through PgBouncer in transaction mode, the service works, and says at its start which settings the role lacks."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.app import create_app
from profile_lookup.commands.database import verify_session_settings
from profile_lookup.commands.errors import CommandError
from profile_lookup.database.connections import REQUEST_LIMITS, STEP_LIMITS
from profile_lookup.database.session_settings import missing_settings
from profile_lookup.settings import Settings, load_settings
from tests.conftest import look_up, make_profile
from tests.standbys.cluster import SERVICE, Cluster, running_cluster
from tests.standbys.pgbouncer import is_installed, running_pgbouncer

pytestmark = pytest.mark.skipif(not is_installed(), reason="needs PgBouncer 1.21 or later")

_RESET = f"alter role {SERVICE} reset all"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster(standbys=0) as running:
        yield running


@pytest.fixture
def pooled_url(cluster: Cluster) -> Iterator[str]:
    # If root runs the tests, PgBouncer runs as another user, who may enter the cluster's directory, but not pytest's.
    with (
        tempfile.TemporaryDirectory(prefix="pgbouncer-", dir=cluster.primary.data.parent) as directory,
        running_pgbouncer(cluster.primary, Path(directory)) as url,
    ):
        yield url


@pytest.fixture
def settings(pooled_url: str, tmp_path: Path) -> Settings:
    return load_settings(database_url=pooled_url, run_operations=False, data_dir=tmp_path)


@pytest.fixture
async def app(cluster: Cluster, settings: Settings) -> AsyncIterator[FastAPI]:
    """The service behind PgBouncer, without a worker, whose connections would be counted."""
    await _give_settings(cluster, settings)
    created = create_app(settings)
    async with created.router.lifespan_context(created):
        yield created
    await cluster.primary.execute(_RESET)


async def _give_settings(cluster: Cluster, settings: Settings) -> None:
    assert settings.database_url is not None
    for statement in await missing_settings(settings.database_url.get_secret_value(), REQUEST_LIMITS):
        await cluster.primary.execute(statement)
    await cluster.primary.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{SERVICE}'")


async def test_missing_settings_are_named_until_the_role_has_them(cluster: Cluster, settings: Settings) -> None:
    with pytest.raises(CommandError, match=f"ALTER ROLE {SERVICE} SET plan_cache_mode = 'force_generic_plan'"):
        await verify_session_settings(settings, REQUEST_LIMITS)
    await _give_settings(cluster, settings)
    await verify_session_settings(settings, REQUEST_LIMITS)
    await cluster.primary.execute(_RESET)


async def test_a_worker_behind_pgbouncer_is_refused(cluster: Cluster, settings: Settings) -> None:
    await _give_settings(cluster, settings)
    with pytest.raises(CommandError, match="not through PgBouncer"):
        await verify_session_settings(settings, STEP_LIMITS)
    await cluster.primary.execute(_RESET)


async def test_creates_and_lookups_of_many_clients_share_four_connections(
    cluster: Cluster, client: httpx.AsyncClient, store_id: str
) -> None:
    async def pairs(number: int) -> None:
        for count in range(10):
            phone = f"+1317555{1000 + number * 10 + count}"
            profile_id = await make_profile(client, store_id, phone=phone)
            assert await look_up(client, store_id, "phone", phone) == [profile_id]
            assert (await client.get(f"/v1/Stores/{store_id}/Profiles/{profile_id}")).is_success

    await asyncio.gather(*map(pairs, range(16)))
    sessions = await cluster.primary.execute(f"select count(*) from pg_stat_activity where usename = '{SERVICE}'")
    assert 1 < sessions <= 4 + 1  # four of PgBouncer, and one by which the test made its account
