"""Nothing of the double is there in a server that is not for tests."""

import subprocess
import sys

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.app import create_app
from profile_lookup.database.pool import Database
from profile_lookup.errors import OperatorError
from profile_lookup.settings import Settings, SettingsError, load_settings
from tests.conftest import BASE_URL

REQUESTS = [
    ("POST", "/testing/reset"), ("POST", "/testing/seed"), ("GET", "/testing/faults"), ("POST", "/testing/faults"),
    ("DELETE", "/testing/faults"), ("DELETE", "/testing/faults/1"), ("GET", "/testing/requests"), ("GET", "/testing/clock"),
    ("PUT", "/testing/clock"),
]  # fmt: skip


@pytest.fixture
async def stranger(app: FastAPI) -> httpx.AsyncClient:
    """A client, without credentials, of a server that is not for tests."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL)


@pytest.mark.parametrize(("method", "path"), REQUESTS)
async def test_other_servers_answer_404(stranger: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await stranger.request(method, path, json={})
    assert (answer.status_code, answer.json()["code"]) == (404, 20404)


def test_other_servers_load_nothing_of_it() -> None:
    program = """
import sys
from profile_lookup.app import create_app
from profile_lookup.settings import load_settings
create_app(load_settings(database_url="postgresql://nobody@127.0.0.1:1/nothing"))
print(*(name for name in sys.modules if name.startswith(("profile_lookup.testing", "yaml"))))
"""
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert loaded.split() == []


def test_the_openapi_document_has_these_operations_only_in_a_server_for_tests() -> None:
    unreachable = "postgresql://nobody@127.0.0.1:1/nothing"
    usual = create_app(load_settings(database_url=unreachable)).openapi()
    ephemeral = create_app(load_settings(database_url=unreachable, ephemeral=True)).openapi()
    added = ephemeral["paths"].keys() - usual["paths"].keys()
    operations = {
        (method.upper(), path.replace("{faultId}", "1")): operation
        for path in added
        for method, operation in ephemeral["paths"][path].items()
    }
    assert operations.keys() == set(REQUESTS)
    assert all(operation["x-ours"] is True and "security" not in operation for operation in operations.values())
    assert not any(path.startswith("/testing") for path in usual["paths"])


async def test_a_database_that_has_stores_is_left_alone(
    client: httpx.AsyncClient, settings: Settings, database: Database
) -> None:
    app = create_app(settings.model_copy(update={"ephemeral": True}))
    with pytest.raises(OperatorError, match="needs a database of its own"):
        async with app.router.lifespan_context(app):
            pass


@pytest.mark.parametrize("clock", ["tomorrow", "2031-05-01T10:00:00", "10:00"])
def test_a_clock_without_a_zone_is_refused(clock: str) -> None:
    with pytest.raises(SettingsError, match="PROFILE_LOOKUP_CLOCK: expected a time with its zone"):
        load_settings(clock=clock)
