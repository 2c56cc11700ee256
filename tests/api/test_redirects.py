"""Every request for a merged profile is redirected to the canonical one."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from profile_lookup.app import create_app
from profile_lookup.settings import Settings, load_settings
from tests.api.merged_profiles import REQUESTS, make_merged
from tests.conftest import BASE_URL, make_profile
from tests.contract.conforming import ConformingTransport


@pytest.mark.parametrize(("method", "sub_resource", "body"), REQUESTS)
async def test_a_redirect_leads_to_the_same_resource_of_the_canonical_profile(
    client: httpx.AsyncClient, store_id: str, method: str, sub_resource: str, body: Any
) -> None:
    canonical, merged = await make_merged(client, store_id)
    others = "" if "Identifiers/" in sub_resource and method == "DELETE" else "&traitGroups=Contact"
    path = f"/v1/Stores/{store_id}/Profiles/{{}}{sub_resource}?removeAll=true{others}"
    answer = await client.request(method, path.format(merged), json=body)
    uri = f"{BASE_URL}{path.format(canonical)}"
    assert answer.status_code == (301 if method == "GET" else 308)
    assert answer.json() == {"message": "This resource has moved.", "uri": uri}
    assert answer.headers["Location"] == uri
    assert answer.headers["Canonical-Profile-Id"] == canonical


@pytest.mark.parametrize(("method", "sub_resource", "body"), REQUESTS)
async def test_a_client_that_follows_the_redirect_keeps_its_credentials(
    client: httpx.AsyncClient, store_id: str, method: str, sub_resource: str, body: Any
) -> None:
    canonical, merged = await make_merged(client, store_id)
    url = f"/v1/Stores/{store_id}/Profiles/{merged}{sub_resource}"
    answer = await client.request(method, url, json=body, follow_redirects=True)
    assert answer.status_code == (200 if method == "GET" else 202), answer.text
    assert len(answer.history) == 1
    assert canonical in str(answer.url)


async def test_a_followed_write_changes_the_canonical_profile(client: httpx.AsyncClient, store_id: str) -> None:
    canonical, merged = await make_merged(client, store_id)
    profiles = f"/v1/Stores/{store_id}/Profiles"
    body = {"traits": {"Contact": {"city": "Fishers"}}}
    await client.patch(f"{profiles}/{merged}", json=body, follow_redirects=True)
    assert (await client.get(f"{profiles}/{canonical}")).json()["traits"]["Contact"]["city"] == "Fishers"


async def test_a_write_that_does_not_follow_the_redirect_changes_nothing(
    client: httpx.AsyncClient, store_id: str
) -> None:
    canonical, merged = await make_merged(client, store_id)
    await client.delete(f"/v1/Stores/{store_id}/Profiles/{merged}")
    assert (await client.get(f"/v1/Stores/{store_id}/Profiles/{canonical}")).status_code == 200


async def test_a_redirect_leads_to_the_public_url(settings: Settings, account: tuple[str, str], store_id: str) -> None:
    app = create_app(load_settings(database_url=settings.database_url, public_url="https://lookup.example.com/memory/"))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=account) as client,
    ):
        canonical, merged = await make_merged(client, store_id)
        answer = await client.get(f"/v1/Stores/{store_id}/Profiles/{merged}/Traits?pageSize=1")
    assert answer.headers["Location"] == (
        f"https://lookup.example.com/memory/v1/Stores/{store_id}/Profiles/{canonical}/Traits?pageSize=1"
    )


async def test_a_percent_encoded_id_is_redirected(client: httpx.AsyncClient, store_id: str) -> None:
    canonical, merged = await make_merged(client, store_id)
    url = f"/v1/Stores/{store_id}/Profiles/{merged.replace('mem_', 'mem%5F')}/Traits"
    answer = await client.get(url)
    assert answer.headers["Location"] == f"{BASE_URL}/v1/Stores/{store_id}/Profiles/{canonical}/Traits"


async def test_a_query_that_is_not_valid_text_is_kept_unchanged(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, account: tuple[str, str]
) -> None:
    canonical, merged = await make_merged(client, store_id)
    query = b"x=\xff&y=\xc3\xa9&z=%C3"

    async def app_with_raw_query(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "query_string": query}, receive, send)

    transport = ConformingTransport(app_with_raw_query)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=account) as other:
        answer = await other.get(f"/v1/Stores/{store_id}/Profiles/{merged}")
    assert answer.status_code == 301
    location = dict(answer.headers.raw)[b"location"]
    assert location == f"{BASE_URL}/v1/Stores/{store_id}/Profiles/{canonical}?".encode() + query


async def test_a_redirect_to_a_url_that_is_too_long_is_refused(client: httpx.AsyncClient, store_id: str) -> None:
    _, merged = await make_merged(client, store_id)
    answer = await client.get(f"/v1/Stores/{store_id}/Profiles/{merged}?x={'x' * 2000}")
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_a_merged_profile_is_in_no_list(client: httpx.AsyncClient, store_id: str) -> None:
    canonical, _ = await make_merged(client, store_id)
    assert (await client.get(f"/v1/Stores/{store_id}/Profiles")).json()["profiles"] == [canonical]


async def test_a_percent_encoded_slash_leads_to_the_same_resource(client: httpx.AsyncClient, store_id: str) -> None:
    """A client that follows a redirect of a DELETE must not erase more than it requested."""
    canonical = await make_profile(client, store_id, chat="c")
    merged = await make_profile(client, store_id, email="e@x")
    await make_profile(client, store_id, chat="c", email="e@x")
    profiles = f"/v1/Stores/{store_id}/Profiles"
    moved = await client.delete(f"{profiles}/{merged}%2FIdentifiers%2Femail")
    assert (moved.status_code, moved.headers["Location"]) == (
        308,
        f"{BASE_URL}{profiles}/{canonical}/Identifiers/email",
    )
    moved = await client.get(f"/v1/Stores%2F{store_id}/Profiles/{merged}")
    assert (moved.status_code, moved.headers["Location"]) == (301, f"{BASE_URL}{profiles}/{canonical}")
