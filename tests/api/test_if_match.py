"""`If-Match` (RFC 9110, section 13.1.1): whoever changes what somebody else has changed meanwhile is told so."""

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


async def test_a_change_gives_another_etag(client: httpx.AsyncClient, url: str) -> None:
    before = await _etag(client, url)
    assert await _etag(client, url) == before
    await _change(client, url)
    assert await _etag(client, url) != before


@pytest.mark.parametrize(
    "form", ["{}", "*", '"other", {}', '{} , "other"', 'W/"other",{}'], ids=["alone", "any", "last", "first", "weak"]
)
async def test_who_knows_the_current_state_may_change_it(client: httpx.AsyncClient, url: str, form: str) -> None:
    answer = await _change(client, url, form.format(await _etag(client, url)))
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize("form", ['"other"', '"other", "another"', "W/{}", "", "nonsense", "{}x"])
async def test_who_does_not_know_it_is_told_and_nothing_changes(client: httpx.AsyncClient, url: str, form: str) -> None:
    before = await _etag(client, url)
    answer = await _change(client, url, form.format(before))
    assert (answer.status_code, answer.json()["code"]) == (412, 520043)
    assert await _etag(client, url) == before


async def test_a_state_that_was_is_no_longer_the_current_one(client: httpx.AsyncClient, url: str) -> None:
    before = await _etag(client, url)
    assert (await _change(client, url, before)).status_code == 202
    assert (await _change(client, url, before)).status_code == 412


async def test_of_changes_at_once_from_the_same_state_one_is_made(client: httpx.AsyncClient, url: str) -> None:
    before = await _etag(client, url)
    answers = await asyncio.gather(*[_change(client, url, before) for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [202] + [412] * 5


async def test_an_if_match_that_is_too_long_is_refused(client: httpx.AsyncClient, url: str) -> None:
    answer = await _change(client, url, "x" * 101)
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_what_is_made_anew_under_an_old_name_has_other_etags(client: httpx.AsyncClient, store_id: str) -> None:
    groups = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    etags = set()
    for _ in range(2):
        while (await client.post(groups, json={"displayName": "Billing"})).status_code == 409:
            await asyncio.sleep(0.05)  # what it was before is still being removed
        etags.add(await _etag(client, f"{groups}/Billing"))
        await client.delete(f"{groups}/Billing")
    assert len(etags) == 2


async def test_an_etag_of_another_store_is_none_of_this_one(client: httpx.AsyncClient, store_id: str) -> None:
    stores = "/v1/ControlPlane/Stores"
    other = await _etag(client, f"{stores}/{await make_store(client, 'other')}")
    assert (await _change(client, f"{stores}/{store_id}", other)).status_code == 412
