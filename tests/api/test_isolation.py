"""A store of another account cannot be distinguished from one that does not exist, neither by answers nor by timing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.app import create_app
from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings, load_settings
from tests.conftest import BASE_URL, look_up, make_account, make_profile, make_store
from tests.contract.conforming import ConformingTransport
from tests.database.tap import Tap, tapped

ABSENT = "mem_store_00000000000000000000000001"


def _operations_on_stores() -> dict[str, tuple[str, str, Any]]:
    """Return the method, path and example body of each operation that has a store in its path, by operation ID."""
    paths = create_app(load_settings(database_url="postgresql://nobody@127.0.0.1:1/nothing")).openapi()["paths"]
    return {
        operation["operationId"]: (
            method,
            path,
            operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example"),
        )
        for path, operations in paths.items()
        for method, operation in operations.items()
        if "{storeId}" in path
    }


OPERATIONS = _operations_on_stores()


@dataclass(frozen=True, slots=True)
class Stranger:
    """Calls a service that just served the owner of a store, and records what the service sends to PostgreSQL."""

    client: httpx.AsyncClient
    tap: Tap
    store_id: str
    profile_id: str

    async def request(self, operation_id: str, store_id: str, **body: Any) -> tuple[httpx.Response, list[str]]:
        method, path, _ = OPERATIONS[operation_id]
        names = {
            "storeId": store_id, "profileId": self.profile_id, "idType": "phone", "traitGroupName": "Contact",
            "importId": "mem_import_00000000000000000000000001",
            "otherProfileId": "mem_profile_00000000000000000000000001",
        }  # fmt: skip
        self.tap.sent.clear()
        answer = await self.client.request(method, path.format(**names), **body)
        return answer, list(self.tap.sent)


@pytest.fixture
async def stranger(settings: Settings, database: Database) -> AsyncIterator[Stranger]:
    assert settings.database_url is not None
    async with tapped(settings.database_url.get_secret_value()) as tap:
        tapped_settings = {"database_url": SecretStr(tap.url), "pool_size": 1}
        app = create_app(settings.model_copy(update=tapped_settings))
        accounts = [await make_account(database) for _ in range(2)]
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=accounts[0]) as owner,
            httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=accounts[1]) as other,
        ):
            # Otherwise their use would be written after a second, perhaps while a test counts statements.
            last_use = app.state.services.last_use
            for sid, token in accounts:
                last_use.note(Credentials(sid, digest(token)))
            await last_use.close()
            store_id = await make_store(owner)
            profile_id = await make_profile(owner, store_id, phone="+13175556789")
            assert await look_up(owner, store_id, "phone", "+13175556789") == [profile_id]
            yield Stranger(other, tap, store_id, profile_id)


def test_there_are_operations_on_stores() -> None:
    assert {"CreateProfilesLookup", "FetchStore", "DeleteProfile", "PatchTraitGroup"} < OPERATIONS.keys()
    assert len(OPERATIONS) >= 22


@pytest.mark.parametrize("operation_id", OPERATIONS)
async def test_a_foreign_store_and_a_missing_store_give_the_same_404_with_the_same_statements(
    stranger: Stranger, operation_id: str
) -> None:
    example = OPERATIONS[operation_id][2]
    bodies: list[dict[str, Any]] = [{"json": example}, {"json": {}}, {"content": b"{"}] if example else [{}]
    await stranger.request(operation_id, ABSENT, **bodies[0])  # prepares the statements of the connection
    for body in bodies:
        foreign, sent_for_foreign = await stranger.request(operation_id, stranger.store_id, **body)
        absent, sent_for_absent = await stranger.request(operation_id, ABSENT, **body)
        assert (foreign.status_code, foreign.json()["code"]) == (404, 520041)
        assert foreign.content == absent.content
        assert _headers(foreign) == _headers(absent)
        assert sent_for_foreign == sent_for_absent == ["(prepared)"]


def _headers(answer: httpx.Response) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in answer.headers.raw if name not in (b"x-request-id", b"twilio-request-id")]
