"""`If-Match` (RFC 9110, section 13.1.1): a change is refused if somebody else changed the resource in the meantime."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.conftest import make_store

PATHS = ["", "/IdentityResolutionSettings", "/TraitGroups/Contact"]


@pytest.fixture(params=PATHS)
def url(request: pytest.FixtureRequest, store_id: str) -> str:
    return f"/v1/ControlPlane/Stores/{store_id}{request.param}"


async def _etag(client: httpx.AsyncClient, url: str) -> str:
    return (await client.get(url)).headers["ETag"]


async def _change(client: httpx.AsyncClient, url: str, if_match: str | None = None) -> httpx.Response:
    headers = {} if if_match is None else {"If-Match": if_match}
    if url.endswith("Settings"):
        settings: dict[str, Any] = (await client.get(url)).json()
        return await client.put(url, json=settings, headers=headers)
    return await client.patch(url, json={"description": "Changed"}, headers=headers)


async def test_a_change_gives_a_new_etag(client: httpx.AsyncClient, url: str) -> None:
    before = await _etag(client, url)
    assert await _etag(client, url) == before
    await _change(client, url)
    assert await _etag(client, url) != before


@pytest.mark.parametrize(
    "form", ["{}", "*", '"other", {}', '{} , "other"', 'W/"other",{}'], ids=["alone", "any", "last", "first", "weak"]
)
async def test_a_change_with_the_current_etag_is_accepted(client: httpx.AsyncClient, url: str, form: str) -> None:
    answer = await _change(client, url, form.format(await _etag(client, url)))
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize("form", ['"other"', '"other", "another"', "W/{}", "", "nonsense", "{}x"])
async def test_a_change_with_another_etag_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, url: str, form: str
) -> None:
    before = await _etag(client, url)
    answer = await _change(client, url, form.format(before))
    assert (answer.status_code, answer.json()["code"]) == (412, 520043)
    assert await _etag(client, url) == before


async def test_an_etag_is_outdated_after_a_change(client: httpx.AsyncClient, url: str) -> None:
    before = await _etag(client, url)
    assert (await _change(client, url, before)).status_code == 202
    assert (await _change(client, url, before)).status_code == 412


async def test_only_one_of_concurrent_changes_with_the_same_etag_is_accepted(
    client: httpx.AsyncClient, url: str
) -> None:
    before = await _etag(client, url)
    answers = await asyncio.gather(*[_change(client, url, before) for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [202] + [412] * 5


async def test_an_if_match_that_is_too_long_is_refused(client: httpx.AsyncClient, url: str) -> None:
    answer = await _change(client, url, "x" * 101)
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_a_recreated_group_has_a_different_etag(client: httpx.AsyncClient, store_id: str) -> None:
    groups = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    etags = set()
    for _ in range(2):
        while (await client.post(groups, json={"displayName": "Billing"})).status_code == 409:
            await asyncio.sleep(0.05)  # the old group is still being removed
        etags.add(await _etag(client, f"{groups}/Billing"))
        await client.delete(f"{groups}/Billing")
    assert len(etags) == 2


async def test_an_etag_of_another_store_is_refused(client: httpx.AsyncClient, store_id: str) -> None:
    stores = "/v1/ControlPlane/Stores"
    other = await _etag(client, f"{stores}/{await make_store(client, 'other')}")
    assert (await _change(client, f"{stores}/{store_id}", other)).status_code == 412
