"""The official SDK for Node, unmodified: node runs the tests in `tests/sdk/node`."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings
from profile_lookup.token_buckets import RateLimit
from tests.conftest import make_account
from tests.npm_packages import installed_packages
from tests.rate_limits.keys import SELDOM, make_key

SOURCES = Path(__file__).parent / "node"
LOCK = SOURCES / "package-lock.json"
MAX_STORES = 100  # each test in node makes one
SECONDS = 300


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return settings.model_copy(update={"max_stores": MAX_STORES, "follow_merged": request.param})


@pytest.fixture(scope="session")
def node_modules() -> Path:
    return installed_packages(SOURCES)


@pytest.fixture
def limited_keys(settings: Settings) -> dict[str, str]:
    """Two keys for node: one may send 50 requests per second, but never two at once, and one may send a single one."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()

    async def make() -> dict[str, str]:
        database = Database(url, pool_size=1)
        try:
            account = await make_account(database)
            often = await make_key(database, account[0], RateLimit(50, 1))
            seldom = await make_key(database, account[0], RateLimit(SELDOM, 1))
        finally:
            await database.close()
        return {"LIMITED_ACCOUNT_SID": account[0], "OFTEN_KEY": ":".join(often), "SELDOM_KEY": ":".join(seldom)}

    return asyncio.run(make())


@pytest.mark.parametrize(
    "settings",
    [pytest.param(False, marks=pytest.mark.slow), True],
    indirect=True,
    ids=["redirecting", "following_merged"],
)
def test_the_sdk_for_node_works_with_all_resources(
    node_modules: Path,
    tmp_path: Path,
    settings: Settings,
    service_url: str,
    synchronous_account: tuple[str, str],
    limited_keys: dict[str, str],
) -> None:
    for source in SOURCES.glob("*.mjs"):
        shutil.copy(source, tmp_path)
    (tmp_path / "node_modules").symlink_to(node_modules)
    account_sid, auth_token = synchronous_account
    environment = {
        "PATH": os.environ["PATH"],
        "BASE_URL": service_url,
        "ACCOUNT_SID": account_sid,
        "AUTH_TOKEN": auth_token,
        "FOLLOWS_MERGED": str(settings.follow_merged).lower(),
        **limited_keys,
    }
    done = subprocess.run(
        ["node", "--test"], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout[-8000:]
    assert "\n# fail 0\n" in done.stdout
