"""Stores are created, listed, fetched and changed, and operations report it."""

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


async def test_a_store_is_created_and_its_operation_contains_the_id(client: httpx.AsyncClient) -> None:
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


async def test_a_name_can_be_taken_once_per_account_even_by_concurrent_requests(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*[client.post(STORES, json={"displayName": "same"}) for _ in range(8)])
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {520045}


async def test_the_limit_of_stores_holds_even_for_concurrent_requests(
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
async def test_a_store_request_that_breaks_the_contract_is_refused(client: httpx.AsyncClient, body: object) -> None:
    answer = await client.post(STORES, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_a_host_that_is_too_long_for_a_url_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(STORES, json={"displayName": "ok"}, headers={"Host": "h" * 480})
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_a_null_description_counts_as_missing(client: httpx.AsyncClient) -> None:
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
async def test_an_unknown_operation_is_not_found(
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


async def test_urls_in_answers_start_with_the_public_url(settings: Settings, account: tuple[str, str]) -> None:
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
async def test_urls_in_answers_use_the_scheme_that_a_trusted_proxy_forwards(
    settings: Settings, account: tuple[str, str], trusted_proxies: str | None, origin: str
) -> None:
    app = create_app(load_settings(database_url=settings.database_url, trusted_proxies=trusted_proxies))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=account) as client,
    ):
        accepted = await client.post(STORES, json={"displayName": "customers"}, headers={"X-Forwarded-Proto": "https"})
    assert accepted.headers["Location"].startswith(origin)


async def test_a_fetched_store_has_the_fields_of_the_contract(client: httpx.AsyncClient) -> None:
    accepted = await client.post(STORES, json={"displayName": "customers", "description": "All of them"})
    store_id = (await finished(client, accepted))["result"]["id"]
    answer = await client.get(f"{STORES}/{store_id}")
    assert answer.json() == {
        "displayName": "customers", "description": "All of them", "id": store_id, "status": "ACTIVE",
        "intelligenceServiceId": None, "version": 1, "dataAsOf": answer.json()["dataAsOf"],
    }  # fmt: skip
    assert re.fullmatch('"[^"]+"', answer.headers["ETag"])


async def test_a_store_without_a_description_omits_the_field(client: httpx.AsyncClient, store_id: str) -> None:
    assert "description" not in (await client.get(f"{STORES}/{store_id}")).json()


async def test_a_store_is_fetched_by_both_forms_of_its_id_and_answers_with_one(
    client: httpx.AsyncClient, store_id: str
) -> None:
    answer = await client.get(f"{STORES}/{store_id.replace('mem_store_', 'mem_service_')}")
    assert answer.json()["id"] == store_id


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("store_id", "status", "code"),
    [("mem_store_x", 400, 520049), ("mem_store_7zzzzzzzzzzzzzzzzzzzzzzzzz", 404, 520041)],
)
async def test_an_unknown_store_is_not_found(
    client: httpx.AsyncClient, method: str, store_id: str, status: int, code: int
) -> None:
    body = {"displayName": "x"} if method == "PATCH" else None
    answer = await client.request(method, f"{STORES}/{store_id}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_store_of_another_account_is_neither_shown_nor_changed(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, database: Database, method: str
) -> None:
    stranger = await make_account(database)
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=stranger) as other:
        body = {"displayName": "mine"} if method == "PATCH" else None
        answer = await other.request(method, f"{STORES}/{store_id}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, 520041)
        assert (await other.get(STORES)).json()["stores"] == []
    assert (await client.get(f"{STORES}/{store_id}")).json()["displayName"] == "customers"


async def test_stores_are_listed_newest_first_by_default(client: httpx.AsyncClient) -> None:
    created = [await make_store(client, f"store-{number}") for number in range(5)]
    answer = (await client.get(STORES)).json()
    assert answer == {"stores": created[::-1], "meta": {"key": "stores", "pageSize": len(created)}}
    assert (await client.get(STORES, params={"orderBy": "ASC"})).json()["stores"] == created


@pytest.mark.parametrize("query", ["pageSize=0", "pageSize=101", "pageSize=many", "orderBy=asc", "pageToken=x"])
async def test_a_list_request_that_breaks_the_contract_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"{STORES}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_renaming_a_store_keeps_the_fields_that_are_left_out(client: httpx.AsyncClient) -> None:
    accepted = await client.post(STORES, json={"displayName": "customers", "description": "All of them"})
    store_id = (await finished(client, accepted))["result"]["id"]
    changed = await client.patch(f"{STORES}/{store_id}", json={"displayName": "clients"})
    assert changed.json()["message"] == "Memory Store update request accepted for processing."
    assert (await finished(client, changed))["result"]["id"] == store_id
    store = (await client.get(f"{STORES}/{store_id}")).json()
    assert (store["displayName"], store["description"], store["version"]) == ("clients", "All of them", 2)


async def test_a_description_can_be_changed_together_with_the_same_name(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await client.patch(f"{STORES}/{store_id}", json={"displayName": "customers", "description": "All"})
    store = (await client.get(f"{STORES}/{store_id}")).json()
    assert (store["displayName"], store["description"]) == ("customers", "All")


async def test_the_old_name_of_a_renamed_store_can_be_reused(client: httpx.AsyncClient, store_id: str) -> None:
    await client.patch(f"{STORES}/{store_id}", json={"displayName": "clients"})
    assert await make_store(client, "customers")


async def test_a_store_cannot_take_the_name_of_another(client: httpx.AsyncClient, store_id: str) -> None:
    await make_store(client, "clients")
    answer = await client.patch(f"{STORES}/{store_id}", json={"displayName": "clients"})
    assert (answer.status_code, answer.json()["code"]) == (409, 520045)
    assert (await client.get(f"{STORES}/{store_id}")).json()["version"] == 1


async def test_two_accounts_may_use_the_same_name(
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
async def test_a_store_patch_that_breaks_the_contract_is_refused(
    client: httpx.AsyncClient, store_id: str, body: object
) -> None:
    answer = await client.patch(f"{STORES}/{store_id}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_concurrent_changes_each_increase_the_version(client: httpx.AsyncClient, store_id: str) -> None:
    changes = [client.patch(f"{STORES}/{store_id}", json={"description": str(number)}) for number in range(8)]
    assert {answer.status_code for answer in await asyncio.gather(*changes)} == {202}
    assert (await client.get(f"{STORES}/{store_id}")).json()["version"] == 9
