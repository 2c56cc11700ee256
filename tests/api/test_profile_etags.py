"""`GET /v1/Stores/{storeId}/Profiles/{profileId}` has an ETag, which changes when its traits or identifiers do."""

import httpx
import pytest

from tests.conftest import finished, make_profile


@pytest.fixture
async def url(client: httpx.AsyncClient, store_id: str) -> str:
    groups = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    loyalty = {"displayName": "Loyalty", "traits": {name: {"dataType": "STRING"} for name in ("tier", "card")}}
    await finished(client, await client.post(groups, json=loyalty))
    profile_id = await make_profile(client, store_id, chat="c-1", city="Gary")
    url = f"/v1/Stores/{store_id}/Profiles/{profile_id}"
    await _patch(client, url, Loyalty={"tier": "gold", "card": "17"})
    return url


async def _etag(client: httpx.AsyncClient, url: str, **query: str) -> str:
    answer = await client.get(url, params=query)
    assert answer.status_code == 200, answer.text
    return answer.headers["ETag"]


async def _patch(client: httpx.AsyncClient, url: str, **traits: object) -> None:
    assert (await client.patch(url, json={"traits": traits})).status_code == 202


@pytest.mark.parametrize("traits", [{"city": "Fishers"}, {"city": None}, {"state": "IN"}])
async def test_a_changed_trait_gives_a_new_etag(
    client: httpx.AsyncClient, url: str, traits: dict[str, str | None]
) -> None:
    before = await _etag(client, url)
    assert await _etag(client, url) == before
    await _patch(client, url, Contact=traits)
    assert await _etag(client, url) != before


async def test_a_trait_that_is_written_again_with_its_value_leaves_the_etag(
    client: httpx.AsyncClient, url: str
) -> None:
    before = await _etag(client, url)
    await _patch(client, url, Contact={"city": "Gary"})
    assert await _etag(client, url) == before


async def test_an_identifier_that_is_added_or_removed_gives_a_new_etag(client: httpx.AsyncClient, url: str) -> None:
    before = await _etag(client, url)
    assert (await client.post(f"{url}/Identifiers", json={"idType": "chat", "value": "c-9"})).status_code == 202
    assert await _etag(client, url) != before
    assert (await client.delete(f"{url}/Identifiers/chat", params={"value": "c-9"})).status_code == 202
    assert await _etag(client, url) == before


async def test_a_trait_that_is_no_longer_defined_gives_a_new_etag(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    before = await _etag(client, url)
    group = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups/Loyalty"
    await finished(client, await client.patch(group, json={"traits": {"card": {"dataType": ""}}}))
    assert await _etag(client, url) != before


async def test_a_merge_gives_the_canonical_profile_a_new_etag(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    before = await _etag(client, url)
    await make_profile(client, store_id, email="a@example.com", state="IN")
    await make_profile(client, store_id, chat="c-1", email="a@example.com")
    assert await _etag(client, url) != before


async def test_profiles_with_the_same_traits_have_different_etags(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    first, second = [await make_profile(client, store_id, chat=chat) for chat in ("c-2", "c-3")]
    for profile_id in (first, second):
        await _patch(client, f"/v1/Stores/{store_id}/Profiles/{profile_id}", Contact={"chat": None, "city": "Gary"})
    assert await _etag(client, url.replace(url.rpartition("/")[2], first)) != await _etag(
        client, url.replace(url.rpartition("/")[2], second)
    )


async def test_the_etag_is_that_of_the_whole_profile_whichever_groups_are_returned(
    client: httpx.AsyncClient, url: str
) -> None:
    before = await _etag(client, url)
    assert await _etag(client, url, traitGroups="Loyalty") == before
    assert (await client.get(url, params={"traitGroups": "Loyalty"})).json()["traits"].keys() == {"Loyalty"}
    await _patch(client, url, Contact={"city": "Fishers"})
    assert await _etag(client, url, traitGroups="Loyalty") != before
