"""`GET /v1/Stores/{storeId}/Suspects` lists the profiles that may be several people, the worst first."""

from typing import Any

import httpx
import pytest

from profile_lookup.database.pool import Database
from tests.conftest import change_settings, finished, make_profile, make_store
from tests.database.contents import contents

Json = dict[str, Any]


async def _suspects(client: httpx.AsyncClient, store_id: str, **query: str) -> list[Json]:
    answer = await client.get(f"/v1/Stores/{store_id}/Suspects", params=query)
    assert answer.status_code == 200, answer.text
    suspects: list[Json] = answer.json()["suspects"]
    return suspects


async def _share(client: httpx.AsyncClient, store_id: str, email: str, people: int) -> str:
    """Write a value under several names, and return the profile that it makes."""
    for number in range(people):
        profile_id = await make_profile(client, store_id, email=email, firstName=f"Person {number}")
    return profile_id


def _shared(profile_id: str, count: int, value: str) -> list[Json]:
    return [
        {
            "profileId": profile_id,
            "reason": "sharedValue",
            "count": count,
            "by": {"idType": "email", "value": value},
        },
        {"profileId": profile_id, "reason": "namesDisagree", "count": count},
    ]


async def test_a_value_that_was_written_under_several_names_makes_a_suspect(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await _share(client, store_id, "ann@example.com", 1)
    family = await _share(client, store_id, "family@example.com", 2)
    office = await _share(client, store_id, "office@example.com", 4)
    assert await _suspects(client, store_id) == [
        *_shared(office, 4, "office@example.com"),
        *_shared(family, 2, "family@example.com"),
    ]
    assert await _suspects(client, await make_store(client, "other")) == []


async def test_the_names_of_all_values_of_a_profile_are_counted_together(
    client: httpx.AsyncClient, store_id: str
) -> None:
    for first_name, contact in (
        ("Ann", {"email": "a@example.com"}),
        ("Bob", {"email": "a@example.com", "chat": "c-1"}),
        ("Cid", {"chat": "c-1"}),
    ):
        profile_id = await make_profile(client, store_id, firstName=first_name, **contact)
    first = (await _suspects(client, store_id))[0]
    assert first == {"profileId": profile_id, "reason": "namesDisagree", "count": 3}


@pytest.mark.parametrize("how", ["create", "identifier", "bulk"])
async def test_a_merge_by_a_request_without_a_name_makes_a_suspect(
    client: httpx.AsyncClient, store_id: str, how: str
) -> None:
    ann = await make_profile(client, store_id, email="ann@example.com", firstName="Ann")
    await make_profile(client, store_id, chat="c-1", firstName="Bob")
    if how == "create":
        await make_profile(client, store_id, email="ann@example.com", chat="c-1")
    elif how == "identifier":
        path = f"/v1/Stores/{store_id}/Profiles/{ann}/Identifiers"
        added = await client.post(path, json={"idType": "chat", "value": "c-1"})
        assert added.status_code == 202, added.text
    else:
        profiles = [{"traits": {"Contact": {"email": "ann@example.com", "chat": "c-1"}}}]
        await finished(client, await client.put(f"/v1/Stores/{store_id}/Profiles/Bulk", json={"profiles": profiles}))
    suspects = await _suspects(client, store_id)
    assert {"profileId": ann, "reason": "namesDisagree", "count": 2} in suspects
    shared = [each["by"] for each in suspects if each["reason"] == "sharedValue" and each["count"] == 2]
    assert {"idType": "chat", "value": "c-1"} in shared
    assert ({"idType": "email", "value": "ann@example.com"} in shared) == (how != "identifier")


async def test_a_profile_with_very_many_identifiers_is_a_suspect_as_long_as_it_has_them(
    client: httpx.AsyncClient, store_id: str
) -> None:
    for number in range(19):
        profile_id = await make_profile(client, store_id, email="a@example.com", chat=f"c-{number}")
    large = {"profileId": profile_id, "reason": "manyIdentifiers"}
    assert await _suspects(client, store_id) == [large | {"count": 20}]
    await make_profile(client, store_id, email="a@example.com", chat="c-19")
    assert await _suspects(client, store_id) == [large | {"count": 21}]
    path = f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers/chat"
    await client.delete(path)
    assert await _suspects(client, store_id) == [large | {"count": 20}]
    await client.delete(path)
    assert await _suspects(client, store_id) == []


async def test_a_new_profile_with_very_many_identifiers_is_a_suspect(client: httpx.AsyncClient, store_id: str) -> None:
    groups = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    chats = {"chats": {"dataType": "ARRAY", "idTypePromotion": "chat"}}
    await finished(client, await client.post(groups, json={"displayName": "Chats", "traits": chats}))
    traits = {"Chats": {"chats": [f"c-{number}" for number in range(20)]}}
    created = await client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": traits})
    assert await _suspects(client, store_id) == [
        {"profileId": created.json()["id"], "reason": "manyIdentifiers", "count": 20}
    ]


async def test_a_merge_moves_the_reasons_to_the_canonical_profile(client: httpx.AsyncClient, store_id: str) -> None:
    first = await make_profile(client, store_id, chat="c-1")
    office = await _share(client, store_id, "office@example.com", 3)
    for number in range(19):
        await make_profile(client, store_id, email="office@example.com", phone=f"+1317555{number:04}")
    assert {each["profileId"] for each in await _suspects(client, store_id)} == {office}
    await make_profile(client, store_id, chat="c-1", email="office@example.com")
    assert await _suspects(client, store_id) == [
        {"profileId": first, "reason": "manyIdentifiers", "count": 21},
        *_shared(first, 3, "office@example.com"),
    ]


@pytest.mark.parametrize("how", ["remove", "erase", "block"])
async def test_a_value_that_is_gone_makes_no_suspect(
    client: httpx.AsyncClient, store_id: str, database: Database, how: str
) -> None:
    profile_id = await _share(client, store_id, "office@example.com", 3)
    path = f"/v1/Stores/{store_id}/Profiles/{profile_id}"
    if how == "remove":
        await client.delete(f"{path}/Identifiers/email", params={"value": "office@example.com"})
    elif how == "erase":
        await client.delete(path)
    else:
        blocked = {"builtIn": True, "values": [{"idType": "email", "value": "office@example.com"}]}
        await finished(client, await client.put(f"/v1/ControlPlane/Stores/{store_id}/BlockedValues", json=blocked))
    assert await _suspects(client, store_id) == []
    assert (await contents(database))["suspect"] == []


async def test_a_value_that_gets_another_form_is_named_in_that(client: httpx.AsyncClient, store_id: str) -> None:
    for number in range(2):
        profile_id = await make_profile(client, store_id, chat="Office@x.org", firstName=f"Person {number}")
    await change_settings(client, store_id, chat={"normalization": "email"})
    (shared, _) = await _suspects(client, store_id)
    assert shared["profileId"] == profile_id
    assert shared["by"] == {"idType": "chat", "value": "office@x.org"}


async def test_values_that_become_one_leave_a_profile_with_fewer(client: httpx.AsyncClient, store_id: str) -> None:
    for number in range(10):
        for chat in (f"C-{number}@x.org", f"c-{number}@x.org"):
            await make_profile(client, store_id, email="a@example.com", chat=chat)
    assert [each["count"] for each in await _suspects(client, store_id)] == [21]
    await change_settings(client, store_id, chat={"normalization": "email"})
    assert await _suspects(client, store_id) == []


async def test_suspects_are_read_page_by_page_in_both_orders(client: httpx.AsyncClient, store_id: str) -> None:
    for number, people in enumerate((2, 3, 3, 4)):
        await _share(client, store_id, f"{number}@example.com", people)
    worst_first = await _suspects(client, store_id)
    assert [each["count"] for each in worst_first] == [4, 4, 3, 3, 3, 3, 2, 2]
    assert await _suspects(client, store_id, orderBy="ASC") == worst_first[::-1]
    read: list[Json] = []
    token: str | None = None
    while token is not None or not read:
        query = {"PageSize": 3} | ({"PageToken": token} if token else {})
        page = (await client.get(f"/v1/Stores/{store_id}/Suspects", params=query)).json()
        read += page["suspects"]
        token = page["meta"].get("nextToken")
    assert read == worst_first


async def test_unknown_query_parameters_are_refused(client: httpx.AsyncClient, store_id: str) -> None:
    answer = await client.get(f"/v1/Stores/{store_id}/Suspects", params={"reason": "sharedValue"})
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)
    assert "pageSize, pageToken, orderBy" in answer.json()["message"]
