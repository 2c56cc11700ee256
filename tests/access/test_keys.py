"""API keys over HTTP: no key makes, changes or sees one that may do more than itself."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.web.body import ADMITTED_FOR
from tests.access.callers import KEYS, caller, make_key, with_key
from tests.conftest import PATIENCE, look_up, make_account, make_profile, make_store

LIMIT = {"perSecond": 1000, "burst": 1000}
SOON, LATER = "2100-01-15T10:15:30Z", "2100-02-15T10:15:30Z"


async def _look_up(client: httpx.AsyncClient, store_id: str) -> int:
    body = {"idType": "chat", "value": "c-1"}
    return (await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json=body)).status_code


async def test_a_key_is_shown_as_it_was_made_and_its_secret_once(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    sent = {
        "name": "agents", "scopes": ["read", "lookup"], "storeIds": [store_id], "rateLimit": LIMIT, "expiresAt": SOON,
    }  # fmt: skip
    made = await client.post(KEYS, json=sent)
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    key = made.json()
    secret = key.pop("secret")
    assert key.items() >= (sent | {"scopes": ["lookup", "read"]}).items()
    assert key.keys() == {*sent, "sid", "createdAt"}
    fetched = await client.get(f"{KEYS}/{key['sid']}")
    assert fetched.json() == key
    assert (await client.get(KEYS)).json() == {"keys": [key], "meta": {"key": "keys", "pageSize": 1}}
    assert secret not in fetched.text
    async with caller(app, key["sid"], secret) as agents:
        assert await _look_up(agents, store_id) == 200
    plain = await make_key(client, "lookup")
    assert plain.keys() == {"sid", "secret", "name", "scopes", "createdAt"}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["full"]}, "scopes"),
        ({"scopes": ["read", "read"]}, "scopes"),
        ({"scopes": ["read"], "storeIds": []}, "storeIds"),
        ({"scopes": ["read"], "storeIds": ["nonsense"]}, "storeIds"),
        ({"scopes": ["read"], "storeIds": ["mem_store_00000000000000000000000001"]}, "storeIds"),
        ({"scopes": ["read"], "expiresAt": "tomorrow"}, "expiresAt"),
        ({"scopes": ["read"], "expiresAt": "2100-01-15T10:15:30"}, "expiresAt"),
        ({"scopes": ["read"], "expiresAt": "0001-01-01T00:00:00+14:00"}, "expiresAt"),
        ({"scopes": ["read"], "expiresAt": "0001-01-01T00:00:00Z"}, "expiresAt"),
        ({"scopes": ["read"], "expiresAt": "9999-12-31T23:59:59-01:00"}, "expiresAt"),
        ({"scopes": ["read"], "rateLimit": {"perSecond": 0, "burst": 1}}, "rateLimit.perSecond"),
        ({"scopes": ["read"], "rateLimit": {"perSecond": 1}}, "rateLimit.burst"),
        ({"scopes": ["read"], "name": "a\0b"}, "name"),
        ({"scopes": ["read"], "unknown": 1}, "unknown"),
    ],
)
async def test_a_malformed_key_is_refused(client: httpx.AsyncClient, body: dict[str, Any], place: str) -> None:
    refused = await client.post(KEYS, json=body)
    assert (refused.status_code, refused.json()["code"]) == (400, 520046)
    assert refused.json()["message"].startswith(place)


async def test_a_key_is_for_its_stores_only(app: FastAPI, client: httpx.AsyncClient, store_id: str) -> None:
    other = await make_store(client, "other")
    of_other = await client.patch(f"/v1/ControlPlane/Stores/{other}", json={"description": "new"})
    await make_profile(client, other, chat="c-1")
    async with with_key(app, client, storeIds=[store_id]) as bound:
        for _ in range(2):  # the second time by what the process has cached
            assert await _look_up(bound, store_id) == 200
            assert await _look_up(bound, other) == 404
        profile_id = await make_profile(bound, store_id, chat="c-1")
        assert await look_up(bound, store_id, "chat", "c-1") == [profile_id]
        refused = await bound.post(f"/v1/Stores/{other}/Profiles", json={"traits": {"Contact": {"chat": "c-1"}}})
        absent = await bound.get("/v1/Stores/mem_store_00000000000000000000000001/Profiles")
        assert (refused.status_code, refused.content) == (404, absent.content)
        assert (await bound.get("/v1/ControlPlane/Stores")).json()["stores"] == [store_id]
        assert (await bound.get(f"/v1/ControlPlane/Stores/{other}")).status_code == 404
        assert (await bound.get(of_other.headers["Location"])).json()["code"] == 520052
        operations = (await bound.get("/v1/ControlPlane/Operations")).json()["operations"]
        assert [each["result"]["id"] for each in operations] == [store_id]
        assert (await bound.post("/v1/ControlPlane/Stores", json={"displayName": "third"})).status_code == 403


async def test_a_deleted_store_makes_a_key_one_for_no_store(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    other = await make_store(client, "other")
    key = await make_key(client, storeIds=[store_id])
    async with caller(app, key["sid"], key["secret"]) as bound:
        assert (await bound.delete(f"/v1/ControlPlane/Stores/{store_id}")).status_code == 202
        assert (await bound.get("/v1/ControlPlane/Stores")).json()["stores"] == []
        assert await _look_up(bound, other) == 404
    assert (await client.get(f"{KEYS}/{key['sid']}")).json()["storeIds"] == [store_id]
    assert (await client.patch(f"{KEYS}/{key['sid']}", json={"scopes": ["read"]})).status_code == 200


async def test_a_key_makes_no_key_that_may_do_more(app: FastAPI, client: httpx.AsyncClient, store_id: str) -> None:
    other = await make_store(client, "other")
    grant = {"storeIds": [store_id], "rateLimit": LIMIT, "expiresAt": SOON}
    async with with_key(app, client, "read", "manage", **grant) as manager:
        for more in (
            {"scopes": ["lookup"]},
            {"scopes": ["read", "write"]},
            {"storeIds": None},
            {"storeIds": [other]},
            {"storeIds": [store_id, other]},
            {"rateLimit": None},
            {"rateLimit": LIMIT | {"burst": 1001}},
            {"rateLimit": LIMIT | {"perSecond": 1001}},
            {"expiresAt": None},
            {"expiresAt": LATER},
        ):
            refused = await manager.post(KEYS, json={"scopes": ["read"], **grant, **more})
            assert (refused.status_code, refused.json()["code"]) == (403, 403), more
        lesser = await make_key(manager, "read", **grant)
        assert (await manager.get(f"{KEYS}/{lesser['sid']}")).status_code == 200
        for more in ({"scopes": ["lookup"]}, {"storeIds": None}, {"rateLimit": None}, {"expiresAt": LATER}):
            refused = await manager.patch(f"{KEYS}/{lesser['sid']}", json=more)
            assert (refused.status_code, refused.json()["code"]) == (403, 403), more


async def test_a_key_sees_and_changes_no_key_that_may_do_more(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    other = await make_store(client, "other")
    grant = {"storeIds": [store_id], "rateLimit": LIMIT}
    lesser = await make_key(client, "read", **grant)
    greater = [
        await make_key(client, "lookup", **grant),
        await make_key(client, "read", **grant | {"storeIds": [store_id, other]}),
        await make_key(client, "read", rateLimit=LIMIT),
        await make_key(client, "read", storeIds=[store_id]),
        await make_key(client, "read", **grant | {"rateLimit": LIMIT | {"burst": 1001}}),
    ]
    key = await make_key(client, "read", "manage", **grant)
    async with caller(app, key["sid"], key["secret"]) as manager:
        listed = (await manager.get(KEYS)).json()["keys"]
        assert {each["sid"] for each in listed} == {key["sid"], lesser["sid"]}
        for hidden in greater:
            path = f"{KEYS}/{hidden['sid']}"
            answers = [await manager.get(path), await manager.patch(path, json={}), await manager.delete(path)]
            assert [(each.status_code, each.json()["code"]) for each in answers] == [(404, 20404)] * 3
        assert (await manager.delete(f"{KEYS}/{lesser['sid']}")).status_code == 204
    assert {each["sid"] for each in (await client.get(KEYS)).json()["keys"]} == {
        key["sid"],
        *(each["sid"] for each in greater),
    }


async def test_a_key_for_all_stores_is_made_with_the_token_of_the_account_only(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    async with with_key(app, client) as full:
        refused = await full.post(KEYS, json={"scopes": ["read"]})
        assert (refused.status_code, refused.json()["code"]) == (403, 403)
        bound = await make_key(full, "read", storeIds=[store_id])
        assert (await full.patch(f"{KEYS}/{bound['sid']}", json={"storeIds": None})).status_code == 403
    assert (await client.patch(f"{KEYS}/{bound['sid']}", json={"storeIds": None})).status_code == 200


async def test_the_keys_of_another_account_are_not_found(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    key = await make_key(client, "read")
    async with caller(app, *await make_account(database)) as other:
        path = f"{KEYS}/{key['sid']}"
        for answer in (await other.get(path), await other.patch(path, json={}), await other.delete(path)):
            assert (answer.status_code, answer.json()["code"]) == (404, 20404)
        assert (await other.get(KEYS)).json()["keys"] == []
        refused = await other.post(KEYS, json={"scopes": ["read"], "storeIds": [store_id]})
        assert (refused.status_code, refused.json()["code"]) == (400, 520046)


async def test_the_account_itself_is_no_key_and_malformed_sids_are_refused(
    client: httpx.AsyncClient, account: tuple[str, str]
) -> None:
    for sid in (account[0], "SK", f"SK{'0' * 32}%0A", "nonsense"):
        refused = await client.get(f"{KEYS}/{sid}")
        assert (refused.status_code, refused.json()["code"]) == (400, 520046)
    assert (await client.get(f"{KEYS}/SK{'0' * 32}")).status_code == 404


async def test_a_patch_changes_only_what_it_names_and_counts_at_once(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    key = await make_key(client, "lookup", "read", storeIds=[store_id], expiresAt=SOON, rateLimit=LIMIT)
    path = f"{KEYS}/{key['sid']}"
    async with caller(app, key["sid"], key["secret"]) as limited:
        assert await _look_up(limited, store_id) == 200
        before = await client.get(path)
        changed = await client.patch(path, json={"scopes": ["read"], "expiresAt": None, "rateLimit": None})
        assert await _look_up(limited, store_id) == 403
        kept = changed.json().keys() - {"lastUsedAt"}  # which is written a second after the use
        assert kept == before.json().keys() - {"expiresAt", "rateLimit", "lastUsedAt"}
        assert changed.json()["name"] == "made"
        assert (await client.patch(path, json={"name": ""})).json()["name"] == ""
        assert (await client.patch(path, json={"scopes": ["lookup"]})).status_code == 200
        assert await _look_up(limited, store_id) == 200
    stale = await client.patch(path, json={"name": "x"}, headers={"If-Match": before.headers["ETag"]})
    assert (stale.status_code, stale.json()["code"]) == (412, 520043)
    current = (await client.get(path)).headers["ETag"]
    assert (await client.patch(path, json={"name": "x"}, headers={"If-Match": current})).status_code == 200


async def test_a_revoked_and_an_expired_key_are_refused_at_once(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    for change in ("delete", "expire"):
        key = await make_key(client)
        path = f"{KEYS}/{key['sid']}"
        async with caller(app, key["sid"], key["secret"]) as limited:
            assert await _look_up(limited, store_id) == 200
            await make_profile(limited, store_id, chat="c-1")
            if change == "delete":
                assert (await client.delete(path)).status_code == 204
            else:
                past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
                assert (await client.patch(path, json={"expiresAt": past})).status_code == 200
            assert await _look_up(limited, store_id) == 401
            body = {"traits": {"Contact": {"chat": "c-2"}}}
            assert (await limited.post(f"/v1/Stores/{store_id}/Profiles", json=body)).status_code == 401
            assert (await limited.get(f"/v1/Stores/{store_id}/Profiles")).status_code == 401
            assert (await limited.get(KEYS)).status_code == 401
            assert await look_up(client, store_id, "chat", "c-2") == []


async def test_the_time_of_the_last_use_appears(app: FastAPI, client: httpx.AsyncClient, store_id: str) -> None:
    key = await make_key(client, "lookup")
    assert "lastUsedAt" not in key
    began = datetime.now(UTC).replace(microsecond=0)
    async with caller(app, key["sid"], key["secret"]) as limited:
        assert await _look_up(limited, store_id) == 200
    async with asyncio.timeout(PATIENCE):
        while "lastUsedAt" not in (shown := (await client.get(f"{KEYS}/{key['sid']}")).json()):
            await asyncio.sleep(0.05)
    assert began <= datetime.fromisoformat(shown["lastUsedAt"]) <= datetime.now(UTC)


async def test_wrong_credentials_leave_no_time_of_a_use(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    used, unused = [await make_key(client, "lookup") for _ in range(2)]
    for key, secret, status in ((unused, used["secret"], 401), (used, used["secret"], 200)):
        async with caller(app, key["sid"], secret) as limited:
            assert await _look_up(limited, store_id) == status
    async with asyncio.timeout(PATIENCE), database.statements() as connection:
        times = text("select sid from credential where last_used_at is not null")
        while used["sid"] not in (seen := set((await connection.execute(times)).scalars())):
            await asyncio.sleep(0.05)
    assert unused["sid"] not in seen


async def test_keys_are_listed_page_by_page(client: httpx.AsyncClient) -> None:
    sids = [(await make_key(client, "read"))["sid"] for _ in range(3)]
    found: list[str] = []
    parameters: dict[str, Any] = {"pageSize": 2, "orderBy": "ASC"}
    while True:
        page = (await client.get(KEYS, params=parameters)).json()
        found += [key["sid"] for key in page["keys"]]
        if "nextToken" not in page["meta"]:
            break
        parameters["pageToken"] = page["meta"]["nextToken"]
    assert found == sids


async def test_a_key_that_was_revoked_while_its_request_arrived_leaves_no_other_key_behind(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    key = await make_key(client, storeIds=[store_id])

    async def body() -> AsyncIterator[bytes]:
        yield b'{"scopes": ["manage"], '
        await client.delete(f"{KEYS}/{key['sid']}")
        yield f'"storeIds": ["{store_id}"]}}'.encode()

    async with caller(app, key["sid"], key["secret"]) as revoked:
        refused = await revoked.post(KEYS, content=body(), headers={"Content-Type": "application/json"})
    assert refused.status_code == 401
    assert (await client.get(KEYS)).json()["keys"] == []


async def test_a_key_that_lost_a_scope_while_its_request_arrived_gives_it_to_no_other(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    key = await make_key(client, storeIds=[store_id])

    async def body() -> AsyncIterator[bytes]:
        yield b'{"scopes": ["write"], '
        await client.patch(f"{KEYS}/{key['sid']}", json={"scopes": ["manage"]})
        yield f'"storeIds": ["{store_id}"]}}'.encode()

    async with caller(app, key["sid"], key["secret"]) as reduced:
        refused = await reduced.post(KEYS, content=body(), headers={"Content-Type": "application/json"})
    assert refused.status_code == 403


async def test_a_request_whose_body_arrives_slowly_is_refused_if_its_key_was_revoked_meanwhile(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    profiles = f"/v1/Stores/{store_id}/Profiles"
    made = await client.post(profiles, json={"traits": {"Contact": {"chat": "c-1"}}})
    path = f"{profiles}/{made.json()['id']}"
    key = await make_key(client)

    async def body() -> AsyncIterator[bytes]:
        yield b'{"traits": {"Contact": '
        await client.delete(f"{KEYS}/{key['sid']}")
        await asyncio.sleep(ADMITTED_FOR)
        yield b'{"firstName": "Mallory"}}}'

    async with caller(app, key["sid"], key["secret"]) as revoked:
        refused = await revoked.patch(path, content=body(), headers={"Content-Type": "application/json"})
    assert refused.status_code == 401
    assert (await client.get(path)).json()["traits"] == {"Contact": {"chat": "c-1"}}


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("GET", KEYS, "only pageSize, pageToken, orderBy"),
        ("POST", KEYS, "no parameters"),
        ("POST", "/v1/ControlPlane/AuthToken/Rotate", "no parameters"),
        ("GET", "/v1/ControlPlane/Operations", "only storeId, status, pageSize, pageToken, orderBy"),
        ("GET", "/v1/ControlPlane/BuiltInBlockedValues", "no parameters"),
    ],
)
async def test_an_unknown_query_parameter_is_refused_where_the_operation_is_ours(
    client: httpx.AsyncClient, method: str, path: str, known: str
) -> None:
    body = {} if method == "GET" or "Keys" not in path else {"scopes": ["read"]}
    refused = await client.request(method, f"{path}?stroeId=mem_store_1", json=None if method == "GET" else body)
    assert refused.status_code == 400
    assert refused.json()["message"] == f"query: expected {known}"
    assert (await client.get(KEYS)).json()["keys"] == []  # and nothing was done


async def test_a_refused_status_is_explained_by_those_that_exist(client: httpx.AsyncClient) -> None:
    refused = await client.get("/v1/ControlPlane/Operations?status=DONE")
    assert refused.status_code == 400
    expected = "status: Input should be 'PENDING', 'RUNNING', 'CANCELLED', 'COMPLETED' or 'FAILED'"
    assert refused.json()["message"] == expected


async def test_an_unknown_query_parameter_is_ignored_where_the_contract_is_published(
    client: httpx.AsyncClient, store_id: str
) -> None:
    assert (await client.get(f"/v1/Stores/{store_id}/Profiles?verbose=1")).status_code == 200
    assert (await client.get(f"{KEYS}?PageSize=5")).status_code == 200  # as the Go SDK names it
