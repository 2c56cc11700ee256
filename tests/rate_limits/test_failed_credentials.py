"""Wrong credentials are limited by the client's address, and right ones never."""

from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.accounts.credentials import new_secret
from profile_lookup.settings import Settings, load_settings
from tests.conftest import BASE_URL
from tests.contract.conforming import ConformingTransport
from tests.rate_limits.keys import SELDOM

PROXY = "192.0.2.1"
CLIENT, OTHER = "203.0.113.5", "203.0.113.6"
STORES = "/v1/ControlPlane/Stores"
LOOKUP = "/v1/Stores/mem_store_00000000000000000000000000/Profiles/Lookup"

ClientAt = Callable[[str], httpx.AsyncClient]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    limit = {"failed_credentials_per_second": SELDOM, "failed_credentials_burst": 3}
    return settings.model_copy(update={"trusted_proxies": PROXY} | limit)


@pytest.fixture
async def client_at(app: FastAPI) -> ClientAt:
    """A function that returns a client which calls from an address."""

    def client(address: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=ConformingTransport(app, client=(address, 1)), base_url=BASE_URL)

    return client


async def failures(client: httpx.AsyncClient, count: int, path: str = STORES, **headers: str) -> list[int]:
    """Send requests with wrong credentials, each with others, and return their statuses."""
    method = "POST" if path == LOOKUP else "GET"
    return [
        (await client.request(method, path, auth=("SK1", new_secret()), headers=headers)).status_code
        for _ in range(count)
    ]


def test_there_is_a_limit_by_default_and_it_can_be_turned_off() -> None:
    assert load_settings(database_url="postgresql://h/d").failed_credentials_limit == (1.0, 20)
    off = load_settings(database_url="postgresql://h/d", failed_credentials_per_second=0)
    assert off.failed_credentials_limit is None


@pytest.mark.parametrize("path", [STORES, LOOKUP])
async def test_more_wrong_credentials_than_the_limit_are_answered_429(client_at: ClientAt, path: str) -> None:
    async with client_at(CLIENT) as client:
        assert await failures(client, 5, path) == [401, 401, 401, 429, 429]
        refused = await client.get(STORES, auth=("SK1", "wrong"))
        assert refused.json()["code"] == 20429
        assert int(refused.headers["Retry-After"]) > 0
        assert "WWW-Authenticate" not in refused.headers


async def test_right_credentials_are_served_from_an_address_over_the_limit(
    client_at: ClientAt, account: tuple[str, str]
) -> None:
    async with client_at(CLIENT) as client:
        assert 429 in await failures(client, 5)
        assert {(await client.get(STORES, auth=account)).status_code for _ in range(10)} == {200}


async def test_requests_without_credentials_are_not_counted(client_at: ClientAt) -> None:
    """Many clients send one first, and must learn from its answer that credentials are expected."""
    async with client_at(CLIENT) as client:
        for path in (STORES, LOOKUP):
            method = "POST" if path == LOOKUP else "GET"
            assert {(await client.request(method, path)).status_code for _ in range(10)} == {401}
        assert await failures(client, 1) == [401]


async def test_other_addresses_are_not_affected(client_at: ClientAt) -> None:
    async with client_at(CLIENT) as client, client_at(OTHER) as other:
        assert 429 in await failures(client, 5)
        assert await failures(other, 3) == [401, 401, 401]


async def test_a_subscriber_of_ipv6_has_one_limit_for_all_its_addresses(client_at: ClientAt) -> None:
    async with (
        client_at("2001:db8::1") as client,
        client_at("2001:db8::ffff:1") as same,
        client_at("2001:db8:0:1::1") as other,
    ):
        assert await failures(client, 3) == [401, 401, 401]
        assert await failures(same, 1) == [429]
        assert await failures(other, 1) == [401]


async def test_an_ipv4_address_is_the_same_in_ipv6(client_at: ClientAt) -> None:
    async with client_at(CLIENT) as client, client_at(f"::ffff:{CLIENT}") as same:
        assert await failures(client, 3) == [401, 401, 401]
        assert await failures(same, 1) == [429]


async def test_the_address_that_a_trusted_proxy_tells_counts(client_at: ClientAt) -> None:
    async with client_at(PROXY) as proxy, client_at(CLIENT) as client:
        assert await failures(proxy, 4, **{"X-Forwarded-For": f"10.0.0.9, {CLIENT}"}) == [401, 401, 401, 429]
        assert await failures(proxy, 1, **{"X-Forwarded-For": OTHER}) == [401]
        assert await failures(client, 1) == [429]


async def test_an_address_that_anybody_else_tells_does_not_count(client_at: ClientAt) -> None:
    async with client_at(CLIENT) as client:
        found = [(await failures(client, 1, **{"X-Forwarded-For": f"10.0.0.{number}"}))[0] for number in range(4)]
    assert found == [401, 401, 401, 429]


async def test_a_trusted_proxy_that_tells_no_address_is_exempt(client_at: ClientAt) -> None:
    async with client_at(PROXY) as proxy:
        assert set(await failures(proxy, 10)) == {401}


async def test_what_a_proxy_calls_its_client_need_not_be_an_address(client_at: ClientAt) -> None:
    async with client_at(PROXY) as proxy:
        assert await failures(proxy, 4, **{"X-Forwarded-For": "unknown"}) == [401, 401, 401, 429]
