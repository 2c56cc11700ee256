"""Nothing of the double is there in a server that is not for tests."""

import subprocess
import sys
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.app import create_app
from profile_lookup.errors import OperatorError
from profile_lookup.settings import Settings, SettingsError, load_settings
from tests.conftest import BASE_URL, make_store
from tests.contract.conforming import ConformingTransport

REQUESTS = [
    ("POST", "/testing/reset"), ("POST", "/testing/seed"), ("GET", "/testing/faults"), ("POST", "/testing/faults"),
    ("DELETE", "/testing/faults"), ("DELETE", "/testing/faults/1"), ("GET", "/testing/requests"), ("GET", "/testing/clock"),
    ("PUT", "/testing/clock"),
]  # fmt: skip


@pytest.fixture
async def stranger(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client, without credentials, of a server that is not for tests."""
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL) as opened:
        yield opened


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


async def test_a_server_for_tests_needs_no_credentials(client: httpx.AsyncClient) -> None:
    for method, path in REQUESTS:
        answer = await client.request(method, path, json={}, auth=httpx.BasicAuth("AC0", "wrong"))
        assert answer.status_code not in (401, 403), answer.text


async def test_a_query_parameter_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/testing/requests", params={"path": "/v1"})
    assert (answer.status_code, answer.json()["message"]) == (400, "query: this path has no parameters; expected none")


async def test_a_database_that_has_stores_is_left_alone(
    settings: Settings, account: tuple[str, str], app: FastAPI
) -> None:
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=account) as owner:
        store_id = await make_store(owner)
        double = create_app(settings.model_copy(update={"ephemeral": True}))
        with pytest.raises(OperatorError, match="needs a database of its own"):
            async with double.router.lifespan_context(double):
                pass
        assert (await owner.get(f"/v1/ControlPlane/Stores/{store_id}")).status_code == 200


@pytest.mark.parametrize("clock", ["tomorrow", "2031-05-01T10:00:00", "10:00"])
def test_a_clock_without_a_zone_is_refused(clock: str) -> None:
    with pytest.raises(SettingsError, match="PROFILE_LOOKUP_CLOCK: expected a time with its zone"):
        load_settings(clock=clock)
