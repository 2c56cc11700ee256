"""With `follow_merged`, a request for a merged profile is served as if it were for the canonical one."""

import asyncio
from typing import Any

import httpx
import pytest

from profile_lookup.settings import Settings
from tests.api.merged_profiles import REQUESTS, make_merged
from tests.conftest import look_up, make_profile


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"follow_merged": True})


@pytest.mark.parametrize(("method", "sub_resource", "body"), REQUESTS)
async def test_the_answer_is_the_one_of_the_canonical_profile_and_names_it(
    client: httpx.AsyncClient, store_id: str, method: str, sub_resource: str, body: Any
) -> None:
    canonical, merged = await make_merged(client, store_id)
    path = f"/v1/Stores/{store_id}/Profiles/{{}}{sub_resource}"
    answer = await client.request(method, path.format(merged), json=body)
    assert answer.status_code == (200 if method == "GET" else 202), answer.text
    assert answer.headers.get_list("Canonical-Profile-Id") == [canonical]
    if method == "GET":
        assert answer.json() == (await client.get(path.format(canonical))).json()


async def test_a_patch_changes_the_canonical_profile(client: httpx.AsyncClient, store_id: str) -> None:
    canonical, merged = await make_merged(client, store_id)
    profiles = f"/v1/Stores/{store_id}/Profiles"
    await client.patch(f"{profiles}/{merged}", json={"traits": {"Contact": {"city": "Fishers"}}})
    assert (await client.get(f"{profiles}/{canonical}")).json()["traits"]["Contact"]["city"] == "Fishers"


async def test_a_delete_erases_the_canonical_profile(client: httpx.AsyncClient, store_id: str) -> None:
    canonical, merged = await make_merged(client, store_id)
    profiles = f"/v1/Stores/{store_id}/Profiles"
    await client.delete(f"{profiles}/{merged}")
    assert (await client.get(f"{profiles}/{canonical}")).status_code == 404
    assert (await client.get(f"{profiles}/{merged}")).status_code == 404


async def test_identifiers_are_added_replaced_and_removed(client: httpx.AsyncClient, store_id: str) -> None:
    canonical, merged = await make_merged(client, store_id)
    identifiers = f"/v1/Stores/{store_id}/Profiles/{merged}/Identifiers"
    await client.post(identifiers, json={"idType": "phone", "value": "+13175551234"})
    assert await look_up(client, store_id, "phone", "+13175551234") == [canonical]
    await client.patch(f"{identifiers}/chat", json={"idType": "chat", "oldValue": "c-1", "newValue": "c-2"})
    assert await look_up(client, store_id, "chat", "c-2") == [canonical]
    await client.delete(f"{identifiers}/chat?removeAll=true")
    assert await look_up(client, store_id, "chat", "c-2") == []


async def test_the_query_and_the_page_tokens_count(client: httpx.AsyncClient, store_id: str) -> None:
    canonical, merged = await make_merged(client, store_id)
    path = f"/v1/Stores/{store_id}/Profiles/{{}}/Traits?pageSize=1"
    first = (await client.get(path.format(merged))).json()
    second = await client.get(f"{path.format(merged)}&pageToken={first['meta']['nextToken']}")
    assert second.status_code == 200
    whole = await client.get(f"/v1/Stores/{store_id}/Profiles/{canonical}/Traits?pageSize=2")
    assert first["traits"] + second.json()["traits"] == whole.json()["traits"]


async def test_a_refusal_is_the_one_of_the_canonical_profile_and_names_it(
    client: httpx.AsyncClient, store_id: str
) -> None:
    canonical, merged = await make_merged(client, store_id)
    answer = await client.delete(f"/v1/Stores/{store_id}/Profiles/{merged}/Identifiers/phone")
    assert (answer.status_code, answer.json()["code"]) == (404, 520017)
    assert answer.headers["Canonical-Profile-Id"] == canonical


async def test_a_request_for_a_canonical_profile_is_answered_as_ever(client: httpx.AsyncClient, store_id: str) -> None:
    canonical, _ = await make_merged(client, store_id)
    answer = await client.get(f"/v1/Stores/{store_id}/Profiles/{canonical}/Identifiers")
    assert "Canonical-Profile-Id" not in answer.headers


async def test_a_percent_encoded_slash_erases_no_more_than_was_requested(
    client: httpx.AsyncClient, store_id: str
) -> None:
    canonical, merged = await make_merged(client, store_id)
    answer = await client.delete(f"/v1/Stores/{store_id}/Profiles/{merged}%2FIdentifiers%2Femail")
    assert answer.status_code == 202
    assert (await client.get(f"/v1/Stores/{store_id}/Profiles/{canonical}")).status_code == 200


async def test_no_write_is_lost_while_its_profile_is_merged_again_and_again(
    client: httpx.AsyncClient, store_id: str
) -> None:
    """Each profile merges into the one before it, while writes go to the last one, whose canonical ID keeps changing."""
    people = [await make_profile(client, store_id, email=f"{number}@example.com") for number in range(8)]
    identifiers = f"/v1/Stores/{store_id}/Profiles/{people[-1]}/Identifiers"

    async def merge() -> None:
        for number in reversed(range(7)):
            await make_profile(client, store_id, email=f"{number}@example.com", chat="one person")
            await make_profile(client, store_id, email="7@example.com", chat="one person")

    async def write(value: str) -> None:
        answer = await client.post(identifiers, json={"idType": "whatsapp", "value": value})
        assert answer.status_code == 202, answer.text

    await asyncio.gather(merge(), *(write(f"+4930{number:06}") for number in range(20)))
    found = [await look_up(client, store_id, "whatsapp", f"+4930{number:06}") for number in range(20)]
    assert found == [[people[0]]] * 20
