"""/v1/Stores/{storeId}/Profiles/{profileId}/Identifiers"""

import asyncio
from typing import Any

import httpx
import pytest

from profile_lookup.database.pool import Database
from tests.conftest import change_settings, look_up, make_profile
from tests.database.contents import contents


@pytest.fixture
async def url(client: httpx.AsyncClient, store_id: str) -> str:
    """The URL of the identifiers of a profile that has the chat `c-1`."""
    return f"/v1/Stores/{store_id}/Profiles/{await make_profile(client, store_id, chat='c-1')}/Identifiers"


def _profile_id(url: str) -> str:
    return url.split("/")[-2]


CHANGED = {"message": "Identifier update accepted."}


def _refusal(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["code"]


async def _add(client: httpx.AsyncClient, url: str, id_type: str, value: str) -> httpx.Response:
    return await client.post(url, json={"idType": id_type, "value": value})


async def _replace(client: httpx.AsyncClient, url: str, id_type: str, old: str, new: str) -> httpx.Response:
    body = {"idType": id_type, "oldValue": old, "newValue": new}
    return await client.patch(f"{url}/{id_type}", json=body)


async def _values(client: httpx.AsyncClient, url: str, id_type: str = "chat") -> list[str]:
    answer = await client.get(f"{url}/{id_type}")
    return answer.json()["values"] if answer.status_code == 200 else []


async def _identifiers(database: Database) -> list[str]:
    return sorted((await contents(database))["identifier"])


async def test_types_are_listed_in_the_order_of_the_settings_and_values_in_the_order_of_addition(
    client: httpx.AsyncClient, url: str
) -> None:
    for id_type, value in (("phone", "(317) 555-1234"), ("chat", "b"), ("email", "A@x.com"), ("chat", "a")):
        answer = await _add(client, url, id_type, value)
        assert (answer.status_code, answer.json()) == (202, {"message": "Identifier accepted for processing."})
    assert (await client.get(url)).json() == {
        "identifiers": [
            {"idType": "email", "values": ["a@x.com"]},
            {"idType": "phone", "values": ["+13175551234"]},
            {"idType": "chat", "values": ["c-1", "b", "a"]},
        ],
        "meta": {"key": "identifiers", "pageSize": 3},
    }
    assert (await client.get(f"{url}/chat")).json() == {"idType": "chat", "values": ["c-1", "b", "a"]}


async def test_an_added_identifier_is_found_at_once(client: httpx.AsyncClient, url: str, store_id: str) -> None:
    await _add(client, url, "phone", "317-555-1234")
    assert await look_up(client, store_id, "phone", "+13175551234") == [_profile_id(url)]


async def test_adding_an_existing_identifier_changes_nothing(
    client: httpx.AsyncClient, url: str, database: Database
) -> None:
    before = await _identifiers(database)
    assert (await _add(client, url, "chat", " c-1 ")).status_code == 202
    assert await _identifiers(database) == before


async def test_adding_a_unique_value_of_another_profile_merges_into_the_earliest(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    later = await make_profile(client, store_id, email="a@example.com", city="Gary")
    assert (await _add(client, url, "email", "a@example.com")).status_code == 202
    assert await look_up(client, store_id, "email", "a@example.com") == [_profile_id(url)]
    moved = await client.get(f"/v1/Stores/{store_id}/Profiles/{later}")
    assert (moved.status_code, moved.headers["Canonical-Profile-Id"]) == (301, _profile_id(url))


async def test_adding_to_the_later_profile_also_merges_into_the_earliest(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    later = await make_profile(client, store_id, email="a@example.com")
    assert (await _add(client, url.replace(_profile_id(url), later), "chat", "c-1")).status_code == 202
    assert await look_up(client, store_id, "email", "a@example.com") == [_profile_id(url)]


async def test_a_value_of_a_type_that_is_not_unique_is_shared(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    await change_settings(client, store_id, chat={"enforceUnique": False})
    other = await make_profile(client, store_id, email="a@example.com")
    await _add(client, url.replace(_profile_id(url), other), "chat", "c-1")
    assert await look_up(client, store_id, "chat", "c-1") == [_profile_id(url), other]


@pytest.mark.parametrize("how", ["add", "replace"])
async def test_a_unique_value_of_another_profile_outside_the_rules_is_a_conflict(
    client: httpx.AsyncClient, url: str, store_id: str, database: Database, how: str
) -> None:
    await change_settings(client, store_id, rules=["chat"])
    await make_profile(client, store_id, chat="c-2", email="a@example.com")
    await _add(client, url, "email", "mine@example.com")
    before = await _identifiers(database)
    if how == "add":
        answer = await _add(client, url, "email", "a@example.com")
    else:
        answer = await _replace(client, url, "email", "mine@example.com", "a@example.com")
    assert _refusal(answer) == (409, 20409)
    assert "a@example.com" not in answer.text
    assert await _identifiers(database) == before


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"idType": "fax", "value": "1"}, "email, whatsapp, phone, chat, pushUserID"),
        ({"idType": "phone", "value": "s3cr3t"}, "value: expected"),
        ({"idType": "chat", "value": " "}, "empty"),
        ({"idType": "chat", "value": ""}, "value"),
        ({"idType": "chat", "value": "x" * 256}, "value"),
        ({"idType": "chat", "value": "\0"}, "NUL"),
        ({"idType": "chat"}, "value"),
        ({"value": "s3cr3t"}, "idType"),
        ({"idType": "chat", "value": "s3cr3t", "unknown": 1}, "unknown"),
        ({"idType": "chat", "value": 1}, "value"),
    ],
)
async def test_an_invalid_identifier_is_refused(
    client: httpx.AsyncClient, url: str, body: dict[str, Any], message: str
) -> None:
    answer = await client.post(url, json=body)
    assert _refusal(answer) == (400, 520046)
    assert message in answer.json()["message"]
    assert "s3cr3t" not in answer.text


async def test_a_replaced_value_counts_as_the_newest(client: httpx.AsyncClient, url: str, store_id: str) -> None:
    await _add(client, url, "chat", "c-2")
    answer = await _replace(client, url, "chat", " c-1 ", " c-3 ")
    assert (answer.status_code, answer.json()) == (202, {"message": "Identifier update accepted."})
    assert await _values(client, url) == ["c-2", "c-3"]
    assert await look_up(client, store_id, "chat", "c-1") == []
    assert await look_up(client, store_id, "chat", "c-3") == [_profile_id(url)]


async def test_a_value_replaced_by_itself_or_by_another_of_the_profile_counts_as_the_newest(
    client: httpx.AsyncClient, url: str
) -> None:
    for value in ("c-2", "c-3"):
        await _add(client, url, "chat", value)
    await _replace(client, url, "chat", "c-1", "c-1 ")
    assert await _values(client, url) == ["c-2", "c-3", "c-1"]
    await _replace(client, url, "chat", "c-3", "c-2")
    assert await _values(client, url) == ["c-1", "c-2"]


@pytest.mark.parametrize("policy", ["fifo", "lifo"])
async def test_a_full_profile_may_replace_a_value(
    client: httpx.AsyncClient, url: str, store_id: str, policy: str
) -> None:
    await _add(client, url, "chat", "c-2")
    await change_settings(client, store_id, chat={"limit": 2, "limitPolicy": policy})
    await _replace(client, url, "chat", "c-1", "c-3")
    assert await _values(client, url) == ["c-2", "c-3"]


async def test_replacing_by_a_unique_value_of_another_profile_merges(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    await make_profile(client, store_id, chat="c-2", email="a@example.com")
    assert (await _replace(client, url, "chat", "c-1", "c-2")).status_code == 202
    assert await _values(client, url) == ["c-2"]
    assert await look_up(client, store_id, "email", "a@example.com") == [_profile_id(url)]
    assert await look_up(client, store_id, "chat", "c-1") == []


async def test_replacing_shares_a_value_of_a_type_that_is_not_unique(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    await change_settings(client, store_id, chat={"enforceUnique": False})
    other = await make_profile(client, store_id, chat="c-2", email="a@example.com")
    await _replace(client, url, "chat", "c-1", "c-2")
    assert await look_up(client, store_id, "chat", "c-2") == [_profile_id(url), other]


async def test_a_missing_identifier_cannot_be_replaced(
    client: httpx.AsyncClient, url: str, store_id: str, database: Database
) -> None:
    await make_profile(client, store_id, chat="of-somebody-else")
    before = await _identifiers(database)
    for old in ("c-2", "of-somebody-else"):
        assert _refusal(await _replace(client, url, "chat", old, "c-3")) == (404, 520014)
    assert await _identifiers(database) == before


@pytest.mark.parametrize("id_type", ["chat", "email"])
async def test_a_replacement_that_is_repeated_is_answered_like_the_first(
    client: httpx.AsyncClient, url: str, database: Database, id_type: str
) -> None:
    for value in ("old@example.com", "other@example.com"):
        await _add(client, url, id_type, value)
    first = await _replace(client, url, id_type, "old@example.com", "new@example.com")
    before = await _identifiers(database)
    again = await _replace(client, url, id_type, " old@example.com", "new@example.com ")
    assert (again.status_code, again.json()) == (first.status_code, first.json()) == (202, CHANGED)
    assert await _identifiers(database) == before
    assert _refusal(await _replace(client, url, id_type, "old@example.com", "x@example.com")) == (404, 520014)


async def test_a_replacement_is_not_repeated_if_somebody_else_has_the_new_value(
    client: httpx.AsyncClient, url: str, store_id: str, database: Database
) -> None:
    await make_profile(client, store_id, chat="of-somebody-else")
    before = await _identifiers(database)
    assert _refusal(await _replace(client, url, "chat", "c-2", "of-somebody-else")) == (404, 520014)
    assert await _identifiers(database) == before


async def test_path_and_body_must_name_the_same_type(client: httpx.AsyncClient, url: str) -> None:
    body = {"idType": "email", "oldValue": "c-1", "newValue": "c-2"}
    assert _refusal(await client.patch(f"{url}/chat", json=body)) == (400, 520046)


async def test_only_one_of_concurrent_replacements_of_a_value_is_made(client: httpx.AsyncClient, url: str) -> None:
    answers = await asyncio.gather(*[_replace(client, url, "chat", "c-1", f"new-{number}") for number in range(8)])
    assert sorted(answer.status_code for answer in answers) == [202] + [404] * 7
    assert len(await _values(client, url)) == 1


@pytest.mark.parametrize(("policy", "left"), [("fifo", ["c-2", "c-3"]), ("lifo", ["c-1", "c-2"])])
async def test_removing_one_value_removes_the_one_that_the_policy_would_evict(
    client: httpx.AsyncClient, url: str, store_id: str, policy: str, left: list[str]
) -> None:
    for value in ("c-2", "c-3"):
        await _add(client, url, "chat", value)
    await change_settings(client, store_id, chat={"limitPolicy": policy})
    answer = await client.delete(f"{url}/chat")
    assert (answer.status_code, answer.json()) == (202, {"message": "Identifier removal accepted."})
    assert await _values(client, url) == left


async def test_removing_all_values_of_a_type_keeps_other_types(client: httpx.AsyncClient, url: str) -> None:
    for id_type, value in (("chat", "c-2"), ("email", "a@example.com")):
        await _add(client, url, id_type, value)
    await client.delete(f"{url}/chat", params={"removeAll": "true"})
    assert (await client.get(url)).json()["identifiers"] == [{"idType": "email", "values": ["a@example.com"]}]


async def test_a_profile_without_identifiers_still_exists(client: httpx.AsyncClient, url: str) -> None:
    await client.delete(f"{url}/chat")
    assert (await client.get(url)).json()["identifiers"] == []
    assert (await client.get(url.removesuffix("/Identifiers"))).json()["traits"] == {"Contact": {"chat": "c-1"}}
    assert (await _add(client, url, "chat", "c-2")).status_code == 202


@pytest.mark.parametrize("id_type", ["email", "fax"])
async def test_a_missing_type_is_neither_fetched_nor_removed(client: httpx.AsyncClient, url: str, id_type: str) -> None:
    assert _refusal(await client.get(f"{url}/{id_type}")) == (404, 20404)
    assert _refusal(await client.delete(f"{url}/{id_type}")) == (404, 520017)


async def test_concurrent_removals_are_all_made(client: httpx.AsyncClient, url: str) -> None:
    for number in range(2, 6):
        await _add(client, url, "chat", f"c-{number}")
    answers = await asyncio.gather(*[client.delete(f"{url}/chat") for _ in range(7)])
    assert sorted(answer.status_code for answer in answers) == [202] * 5 + [404] * 2


@pytest.mark.parametrize("query", ["removeAll=perhaps", "removeAll="])
async def test_a_removal_that_breaks_the_contract_is_refused(client: httpx.AsyncClient, url: str, query: str) -> None:
    assert _refusal(await client.delete(f"{url}/chat?{query}")) == (400, 520046)


@pytest.mark.parametrize(
    ("profile_id", "refusal"),
    [
        ("mem_profile_x", (400, 520046)),
        ("mem_profile_0000000000000000000000000u", (404, 20404)),
        ("mem_profile_00000000000000000000000000", (404, 20404)),
    ],
)
async def test_the_identifiers_of_an_unknown_profile_are_not_found(
    client: httpx.AsyncClient, url: str, profile_id: str, refusal: tuple[int, int]
) -> None:
    nowhere = url.replace(_profile_id(url), profile_id)
    for answer in (
        await client.get(nowhere),
        await client.get(f"{nowhere}/chat"),
        await _add(client, nowhere, "chat", "c-2"),
        await _replace(client, nowhere, "chat", "c-1", "c-2"),
        await client.delete(f"{nowhere}/chat"),
    ):
        assert _refusal(answer) == refusal
