"""Requests over a limit are answered 429, and everybody else is served."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.accounts.credentials import new_secret
from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings
from profile_lookup.stores.admission import KNOWN_FOR
from profile_lookup.token_buckets import RateLimit
from tests.access.callers import caller
from tests.api.merged_profiles import make_merged
from tests.conftest import BASE_URL, PATIENCE, make_account, make_profile, make_store
from tests.rate_limits.keys import SELDOM, make_key, set_limit

Key = tuple[str, str]

LOOKUP: dict[str, Any] = {"idType": "phone", "value": "+13175556789"}
CREATE: dict[str, Any] = {"traits": {"Contact": {"phone": "+13175556789"}}}
REQUESTS: list[tuple[str, str, Any, int]] = [
    ("POST", "/v1/Stores/{store}/Profiles/Lookup", LOOKUP, 200),
    ("POST", "/v1/Stores/{store}/Profiles/Lookup", {"idType": "fax"}, 400),
    ("POST", "/v1/Stores/{store}/Profiles/Lookup/Batch", {"identifiers": [LOOKUP]}, 200),
    ("POST", "/v1/Stores/{store}/Profiles/Lookup/Batch", {"identifiers": []}, 400),
    ("POST", "/v1/Stores/mem_store_00000000000000000000000000/Profiles/Lookup/Batch", {"identifiers": []}, 404),
    ("POST", "/v1/Stores/{store}/Profiles", CREATE, 202),
    ("GET", "/v1/Stores/{store}/Profiles", None, 200),
    ("GET", "/v1/Stores/mem_store_00000000000000000000000000/Profiles", None, 404),
    ("GET", "/v1/Stores/{store}/Profiles/malformed", None, 400),
    ("GET", "/v1/ControlPlane/Stores", None, 200),
    ("GET", "/v1/ControlPlane/Operations/malformed", None, 400),
]


@pytest.fixture
async def key(database: Database, account: Key) -> Key:
    """A key that may send three requests."""
    return await make_key(database, account[0], RateLimit(SELDOM, 3))


@pytest.fixture
async def limited(app: FastAPI, key: Key) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(app, *key) as opened:
        yield opened


async def statuses(client: httpx.AsyncClient, store_id: str, count: int) -> list[int]:
    path = f"/v1/Stores/{store_id}/Profiles/Lookup"
    return [(await client.post(path, json=LOOKUP)).status_code for _ in range(count)]


@pytest.mark.parametrize(("method", "path", "body", "status"), REQUESTS)
async def test_each_request_counts_once_whatever_its_answer(
    limited: httpx.AsyncClient, store_id: str, method: str, path: str, body: Any, status: int
) -> None:
    answers = [await limited.request(method, path.format(store=store_id), json=body) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [status, status, status, 429, 429]


@pytest.mark.parametrize(
    ("identifiers", "burst", "statuses"),
    [
        (100, 3, [200, 200, 200, 429]),
        (101, 4, [200, 200, 429]),
        (1000, 20, [200, 200, 429]),
        (300, 4, [200, 429]),
        (1000, 3, [200, 429]),  # a batch that costs more than the burst is served when the bucket is full
    ],
)
async def test_a_batch_counts_as_one_request_for_every_100_identifiers_begun(
    app: FastAPI, database: Database, account: Key, store_id: str, identifiers: int, burst: int, statuses: list[int]
) -> None:
    async with caller(app, *await make_key(database, account[0], RateLimit(SELDOM, burst))) as client:
        path, body = f"/v1/Stores/{store_id}/Profiles/Lookup/Batch", {"identifiers": [LOOKUP] * identifiers}
        assert [(await client.post(path, json=body)).status_code for _ in statuses] == statuses


async def test_a_batch_that_a_limit_refuses_counts_as_none(
    app: FastAPI, limited: httpx.AsyncClient, store_id: str
) -> None:
    assert await statuses(limited, store_id, 1) == [200]
    body = {"identifiers": [LOOKUP] * 300}
    for _ in range(5):
        refused = await limited.post(f"/v1/Stores/{store_id}/Profiles/Lookup/Batch", json=body)
        assert refused.status_code == 429
        assert 990 <= int(refused.headers["Retry-After"]) <= 1000  # until the one token that is missing is there
    assert await statuses(limited, store_id, 3) == [200, 200, 429]


async def test_a_refusal_has_the_error_body_of_the_contract_and_says_when_to_retry(
    limited: httpx.AsyncClient, store_id: str
) -> None:
    await statuses(limited, store_id, 3)
    refused = await limited.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json=LOOKUP)
    assert refused.json() == {
        "code": 20429,
        "message": "Too many requests. Please retry according to the Retry-After response header.",
        "more_info": f"{BASE_URL}/docs/errors/20429",
        "status": 429,
    }
    assert 990 <= int(refused.headers["Retry-After"]) <= 1000


async def test_concurrent_requests_count_as_many_as_they_are(limited: httpx.AsyncClient, store_id: str) -> None:
    path = f"/v1/Stores/{store_id}/Profiles"
    lookups = [limited.post(f"{path}/Lookup", json=LOOKUP) for _ in range(20)]
    creates = [limited.post(path, json=CREATE) for _ in range(20)]
    found = [answer.status_code for answer in await asyncio.gather(*lookups, *creates)]
    assert found.count(429) == 37


async def test_wrong_secrets_do_not_use_up_the_limit_of_a_key(
    app: FastAPI, limited: httpx.AsyncClient, key: Key, store_id: str
) -> None:
    async with caller(app, key[0], new_secret()) as stranger:
        assert set(await statuses(stranger, store_id, 10)) == {401}
    assert await statuses(limited, store_id, 4) == [200, 200, 200, 429]


async def test_credentials_are_checked_before_limits_and_limits_before_the_rest(
    app: FastAPI, limited: httpx.AsyncClient, key: Key, store_id: str
) -> None:
    await statuses(limited, store_id, 3)
    assert (await limited.get("/v1/ControlPlane/Stores/malformed")).status_code == 429
    async with caller(app, key[0], new_secret()) as stranger:
        assert await statuses(stranger, store_id, 1) == [401]


async def test_other_keys_of_the_account_are_not_limited_by_it(
    client: httpx.AsyncClient, limited: httpx.AsyncClient, store_id: str
) -> None:
    assert await statuses(limited, store_id, 5) == [200, 200, 200, 429, 429]
    assert set(await statuses(client, store_id, 20)) == {200}


async def test_a_client_that_waits_as_long_as_retry_after_says_is_served(
    app: FastAPI, database: Database, account: Key, store_id: str
) -> None:
    async with caller(app, *await make_key(database, account[0], RateLimit(1, 1))) as client:
        for _ in range(2):
            async with asyncio.timeout(PATIENCE):
                while (refused := await client.get("/v1/ControlPlane/Stores")).status_code != 429:
                    pass
            await asyncio.sleep(int(refused.headers["Retry-After"]))
            assert (await client.get("/v1/ControlPlane/Stores")).status_code == 200


@pytest.mark.parametrize("limit", [RateLimit(SELDOM, 2), RateLimit(1000, 100)])
async def test_another_limit_of_a_key_counts_from_the_next_request_that_is_no_lookup(
    app: FastAPI, database: Database, account: Key, store_id: str, limit: RateLimit
) -> None:
    key = await make_key(database, account[0], RateLimit(SELDOM, 10))
    async with caller(app, *key) as client:
        assert set(await statuses(client, store_id, 3)) == {200}
        await set_limit(database, key[0], limit)
        path = f"/v1/Stores/{store_id}/Profiles"
        answered = [(await client.get(path)).status_code for _ in range(12)]
    allowed = min(12, limit.burst)
    assert answered == [200] * allowed + [429] * (12 - allowed)


@pytest.mark.slow
async def test_another_limit_of_a_key_counts_for_its_lookups_after_some_seconds(
    app: FastAPI, database: Database, account: Key, store_id: str
) -> None:
    key = await make_key(database, account[0])
    async with caller(app, *key) as client:
        await statuses(client, store_id, 2)
        await set_limit(database, key[0], RateLimit(SELDOM, 3))
        await asyncio.sleep(KNOWN_FOR)
        assert await statuses(client, store_id, 5) == [200, 200, 200, 429, 429]


class TestFollowedMerges:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"follow_merged": True})

    async def test_a_request_that_is_followed_counts_once(
        self, client: httpx.AsyncClient, limited: httpx.AsyncClient, store_id: str
    ) -> None:
        _, merged = await make_merged(client, store_id)
        answers = [await limited.get(f"/v1/Stores/{store_id}/Profiles/{merged}") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


class TestSettings:
    """The limits of the settings are those of every key, and of every account."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        limits = {"rate_limit_per_key": SELDOM, "rate_burst_per_key": 5}
        return settings.model_copy(update=limits | {"rate_limit_per_account": SELDOM, "rate_burst_per_account": 8})

    async def test_keys_without_a_limit_of_their_own_have_that_of_the_settings(
        self, app: FastAPI, client: httpx.AsyncClient, database: Database, account: Key
    ) -> None:
        store_id = await make_store(client)  # takes two requests of the token, and of the account
        assert await statuses(client, store_id, 4) == [200, 200, 200, 429]
        async with caller(app, *await make_key(database, account[0])) as other:
            assert await statuses(other, store_id, 2) == [200, 200]

    async def test_a_limit_of_a_key_counts_instead_and_that_of_the_account_too(
        self, app: FastAPI, client: httpx.AsyncClient, database: Database, account: Key
    ) -> None:
        store_id = await make_store(client)
        async with caller(app, *await make_key(database, account[0], RateLimit(SELDOM, 100))) as other:
            assert await statuses(other, store_id, 8) == [200] * 6 + [429] * 2
        assert await statuses(client, store_id, 1) == [429]

    async def test_accounts_do_not_limit_each_other(
        self, app: FastAPI, client: httpx.AsyncClient, database: Database
    ) -> None:
        async with caller(app, *await make_account(database)) as other:
            for _ in range(9):
                await other.get("/v1/ControlPlane/Stores")
        await make_profile(client, await make_store(client), chat="c-1")

    async def test_requests_without_credentials_of_an_account_have_no_limit(self, app: FastAPI) -> None:
        async with caller(app, "", "") as anybody:
            assert {(await anybody.get("/healthz")).status_code for _ in range(20)} == {200}


async def test_without_limits_nobody_is_refused(client: httpx.AsyncClient, store_id: str) -> None:
    assert set(await statuses(client, store_id, 200)) == {200}
