"""Stores: made, listed, fetched and changed; and the operations that tell so."""

import asyncio
import json
import re

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.app import create_app
from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings, load_settings
from tests.conftest import BASE_URL, finished, make_account, make_store
from tests.contract.conforming import ConformingTransport

STORES = "/v1/ControlPlane/Stores"


async def test_a_store_is_made_and_its_operation_tells_its_id(client: httpx.AsyncClient) -> None:
    accepted = await client.post(STORES, json={"displayName": "customers", "description": "All of them"})
    operation_id = accepted.headers["Operation-Id"]
    status_url = f"{BASE_URL}/v1/ControlPlane/Operations/{operation_id}"
    assert accepted.status_code == 202
    assert accepted.json() == {
        "message": "Memory Store creation accepted for processing.", "statusUrl": status_url,
    }  # fmt: skip
    assert accepted.headers["Location"] == status_url
    assert accepted.headers["Retry-After"].isdecimal()

    answer = await client.get(status_url)
    operation = answer.json()
    assert answer.headers["Operation-Id"] == operation_id
    assert operation.keys() == {"operationId", "status", "createdAt", "completedAt", "statusUrl", "result"}
    assert (operation["operationId"], operation["status"]) == (operation_id, "COMPLETED")
    assert operation["result"]["type"] == "RESOURCE_ID"
    assert re.fullmatch("mem_store_[0-7][0-9a-z]{25}", operation["result"]["id"])
    for moment in (operation["createdAt"], operation["completedAt"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)


async def test_a_name_is_taken_once_in_an_account_also_by_requests_at_once(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*[client.post(STORES, json={"displayName": "same"}) for _ in range(8)])
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {520045}


async def test_an_account_has_as_many_stores_as_it_may_also_by_requests_at_once(
    client: httpx.AsyncClient,
) -> None:
    answers = await asyncio.gather(
        *[client.post(STORES, json={"displayName": f"store-{number}"}) for number in range(20)]
    )
    assert sorted(answer.status_code for answer in answers) == [202] * 15 + [400] * 5
    assert {answer.json()["code"] for answer in answers if answer.status_code == 400} == {520044}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"displayName": ""},
        {"displayName": "two words"},
        {"displayName": "newline\n"},
        {"displayName": "x" * 65},
        {"displayName": 1},
        {"displayName": "ok", "description": ""},
        {"displayName": "ok", "description": "x" * 129},
        {"displayName": "ok", "description": "\0"},
        {"displayName": "ok", "description": "\ud800"},
    ],
)
async def test_a_store_request_is_as_the_contract_says(client: httpx.AsyncClient, body: object) -> None:
    answer = await client.post(STORES, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_a_host_that_is_too_long_for_an_address_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(STORES, json={"displayName": "ok"}, headers={"Host": "h" * 480})
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_what_sdks_send_for_nothing_is_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.post(STORES, json={"displayName": "ok", "description": None})).status_code == 202


@pytest.mark.parametrize(
    ("operation_id", "status", "code"),
    [
        ("nonsense", 400, 520051),
        ("mem_operation_" + "x" * 600, 400, 520051),
        ("mem_operation_0000000000000000000000000u", 404, 520052),
        ("mem_operation_00000000000000000000000000", 404, 520052),
    ],
)
async def test_an_operation_that_does_not_exist(
    client: httpx.AsyncClient, operation_id: str, status: int, code: int
) -> None:
    answer = await client.get(f"/v1/ControlPlane/Operations/{operation_id}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_an_operation_is_visible_to_its_own_account_only(
    app: FastAPI, client: httpx.AsyncClient, database: Database
) -> None:
    status_url = (await client.post(STORES, json={"displayName": "mine"})).json()["statusUrl"]
    stranger = await make_account(database)
    async with httpx.AsyncClient(transport=ConformingTransport(app), auth=stranger) as other:
        answer = await other.get(status_url)
    assert (answer.status_code, answer.json()["code"]) == (404, 520052)


async def test_addresses_are_on_the_public_url(settings: Settings, account: tuple[str, str]) -> None:
    app = create_app(load_settings(database_url=settings.database_url, public_url="https://lookup.example.com/memory/"))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=account) as client,
    ):
        accepted = await client.post(STORES, json={"displayName": "customers"})
    assert accepted.headers["Location"].startswith(
        "https://lookup.example.com/memory/v1/ControlPlane/Operations/mem_operation_"
    )


@pytest.mark.parametrize(
    ("trusted_proxies", "origin"),
    [(None, "https://"), ("10.0.0.1, 127.9.9.9/8", "https://"), (" * ", "https://"), ("10.0.0.1", "http://")],
)
async def test_addresses_are_as_a_trusted_proxy_was_asked(
    settings: Settings, account: tuple[str, str], trusted_proxies: str | None, origin: str
) -> None:
    app = create_app(load_settings(database_url=settings.database_url, trusted_proxies=trusted_proxies))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=account) as client,
    ):
        accepted = await client.post(STORES, json={"displayName": "customers"}, headers={"X-Forwarded-Proto": "https"})
    assert accepted.headers["Location"].startswith(origin)


async def test_a_store_is_fetched_as_the_contract_says(client: httpx.AsyncClient) -> None:
    accepted = await client.post(STORES, json={"displayName": "customers", "description": "All of them"})
    store_id = (await finished(client, accepted))["result"]["id"]
    answer = await client.get(f"{STORES}/{store_id}")
    assert answer.json() == {
        "displayName": "customers", "description": "All of them", "id": store_id, "status": "ACTIVE",
        "intelligenceServiceId": None, "version": 1,
    }  # fmt: skip
    assert re.fullmatch('"[^"]+"', answer.headers["ETag"])


async def test_a_store_without_a_description_has_none(client: httpx.AsyncClient, store_id: str) -> None:
    assert "description" not in (await client.get(f"{STORES}/{store_id}")).json()


async def test_a_store_is_fetched_by_either_of_its_names_and_told_by_one(
    client: httpx.AsyncClient, store_id: str
) -> None:
    answer = await client.get(f"{STORES}/{store_id.replace('mem_store_', 'mem_service_')}")
    assert answer.json()["id"] == store_id


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("store_id", "status", "code"),
    [("mem_store_x", 400, 520049), ("mem_store_7zzzzzzzzzzzzzzzzzzzzzzzzz", 404, 520041)],
)
async def test_a_store_that_does_not_exist(
    client: httpx.AsyncClient, method: str, store_id: str, status: int, code: int
) -> None:
    body = {"displayName": "x"} if method == "PATCH" else None
    answer = await client.request(method, f"{STORES}/{store_id}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_store_of_another_account_is_neither_told_nor_touched(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, database: Database, method: str
) -> None:
    stranger = await make_account(database)
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=stranger) as other:
        body = {"displayName": "mine"} if method == "PATCH" else None
        answer = await other.request(method, f"{STORES}/{store_id}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, 520041)
        assert (await other.get(STORES)).json()["stores"] == []
    assert (await client.get(f"{STORES}/{store_id}")).json()["displayName"] == "customers"


async def test_stores_are_listed_the_newest_first_unless_asked_otherwise(client: httpx.AsyncClient) -> None:
    made = [await make_store(client, f"store-{number}") for number in range(5)]
    answer = (await client.get(STORES)).json()
    assert answer == {"stores": made[::-1], "meta": {"key": "stores", "pageSize": 50}}
    assert (await client.get(STORES, params={"orderBy": "ASC"})).json()["stores"] == made


@pytest.mark.parametrize("query", ["pageSize=0", "pageSize=101", "pageSize=many", "orderBy=asc", "pageToken=x"])
async def test_a_list_is_asked_for_as_the_contract_says(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"{STORES}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_a_store_is_renamed_and_what_is_left_out_stays(client: httpx.AsyncClient) -> None:
    accepted = await client.post(STORES, json={"displayName": "customers", "description": "All of them"})
    store_id = (await finished(client, accepted))["result"]["id"]
    changed = await client.patch(f"{STORES}/{store_id}", json={"displayName": "clients"})
    assert changed.json()["message"] == "Memory Store update request accepted for processing."
    assert (await finished(client, changed))["result"]["id"] == store_id
    store = (await client.get(f"{STORES}/{store_id}")).json()
    assert (store["displayName"], store["description"], store["version"]) == ("clients", "All of them", 2)


async def test_a_store_is_described_anew_under_its_name(client: httpx.AsyncClient, store_id: str) -> None:
    await client.patch(f"{STORES}/{store_id}", json={"displayName": "customers", "description": "All"})
    store = (await client.get(f"{STORES}/{store_id}")).json()
    assert (store["displayName"], store["description"]) == ("customers", "All")


async def test_a_name_that_was_given_up_is_free(client: httpx.AsyncClient, store_id: str) -> None:
    await client.patch(f"{STORES}/{store_id}", json={"displayName": "clients"})
    assert await make_store(client, "customers")


async def test_a_store_cannot_take_the_name_of_another(client: httpx.AsyncClient, store_id: str) -> None:
    await make_store(client, "clients")
    answer = await client.patch(f"{STORES}/{store_id}", json={"displayName": "clients"})
    assert (answer.status_code, answer.json()["code"]) == (409, 520045)
    assert (await client.get(f"{STORES}/{store_id}")).json()["version"] == 1


async def test_names_are_of_an_account_alone(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    stranger = await make_account(database)
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=stranger) as other:
        assert await make_store(other, "customers") != store_id


@pytest.mark.parametrize(
    "body",
    [{}, {"displayName": None}, {"unknown": 1}, {"displayName": "two words"}, {"displayName": ""},
     {"description": ""}, {"description": "x" * 129}, {"displayName": "x" * 65}, []],
)  # fmt: skip
async def test_a_change_of_a_store_is_as_the_contract_says(
    client: httpx.AsyncClient, store_id: str, body: object
) -> None:
    answer = await client.patch(f"{STORES}/{store_id}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_changes_at_once_are_all_counted(client: httpx.AsyncClient, store_id: str) -> None:
    changes = [client.patch(f"{STORES}/{store_id}", json={"description": str(number)}) for number in range(8)]
    assert {answer.status_code for answer in await asyncio.gather(*changes)} == {202}
    assert (await client.get(f"{STORES}/{store_id}")).json()["version"] == 9
