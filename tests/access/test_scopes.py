"""Each operation needs exactly one scope, and scopes do not include each other."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from profile_lookup.app import create_app
from profile_lookup.database.pool import Database
from profile_lookup.settings import load_settings
from tests.access.callers import SCOPES, caller, make_key, with_key
from tests.conftest import finished, look_up, make_account, make_profile, make_store
from tests.history.splits import joins_of, merged, split

LOOKUPS = {"CreateProfilesLookup", "CreateProfilesLookupBatch"}
WITHOUT_SCOPE = {"UploadProfilesImport", "RotateAuthToken"}
OF_THEIR_KIND = {"FetchOperation", "ListOperationResults", "ListOperations"}
ABSENT = "mem_store_00000000000000000000000001"


def _operations() -> dict[str, tuple[str, str, str]]:
    """Return the method, path and needed scope of each operation, as the contract's extensions list them."""
    paths = create_app(load_settings(database_url="postgresql://nobody@127.0.0.1:1/nothing")).openapi()["paths"]
    found = {}
    for path, operations in paths.items():
        for method, operation in operations.items():
            data_scope = "read" if method == "get" else "write"
            scope = "manage" if path.startswith("/v1/ControlPlane/") else data_scope
            name = operation["operationId"]
            found[name] = (method, path, "lookup" if name in LOOKUPS else scope)
    return found


OPERATIONS = _operations()


@pytest.mark.parametrize("operation_id", sorted(OPERATIONS.keys() - WITHOUT_SCOPE - OF_THEIR_KIND))
async def test_an_operation_is_allowed_by_its_scope_and_by_no_other(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, operation_id: str
) -> None:
    method, path, needed = OPERATIONS[operation_id]
    visible = await make_key(client, "lookup")
    names = {
        "storeId": store_id, "profileId": await make_profile(client, store_id, chat="c-1"), "idType": "chat",
        "traitGroupName": "Contact", "importId": "mem_import_00000000000000000000000001", "keySid": visible["sid"],
        "otherProfileId": "mem_profile_00000000000000000000000001",
    }  # fmt: skip
    body: dict[str, Any] = (
        {} if method in ("get", "delete") else {"content": b"{", "headers": {"Content-Type": "application/json"}}
    )
    for scope in SCOPES:
        scopes = {scope, "lookup"} if "{keySid}" in path else {scope}  # it sees only keys that may do no more
        async with with_key(app, client, *scopes) as limited:
            answer = await limited.request(method, path.format(**names), **body)
        assert (answer.status_code == 403) == (scope != needed), (scope, answer.text)
        if answer.status_code == 403:
            assert answer.json()["code"] == 403
            assert f"scope {needed}" in answer.json()["message"]


async def test_a_key_of_all_scopes_may_do_everything_and_is_the_same_as_full(
    app: FastAPI, client: httpx.AsyncClient, database: Database, account: tuple[str, str]
) -> None:
    made = await make_key(client)
    async with database.transaction() as connection:
        row = (await connection.execute(text("select scope, scopes from credential where sid = :sid"), made)).one()
    assert (row.scope, sorted(row.scopes)) == ("full", sorted(SCOPES))
    async with caller(app, made["sid"], made["secret"]) as full:
        store_id = await make_store(full)
        profile_id = await make_profile(full, store_id, phone="+13175556789")
        assert await look_up(full, store_id, "phone", "+13175556789") == [profile_id]
        assert (await full.get(f"/v1/Stores/{store_id}/Profiles/{profile_id}")).status_code == 200


async def test_what_a_scope_shows_and_changes_besides(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, _ = await merged(client, store_id)
    joins = await joins_of(database, ann)
    control = f"/v1/ControlPlane/Stores/{store_id}"
    block = [{"idType": "email", "value": "ann@example.com"}]
    async with with_key(app, client, "write") as writer:
        shown = await split(writer, store_id, ann, joins, block=block)
        assert shown.status_code == 202
        assert shown.json()["profiles"][1]["identifiers"] == [{"idType": "phone", "values": ["+13175550001"]}]
        assert (await writer.get(f"{control}/BlockedValues")).status_code == 403
    assert (await client.get(f"{control}/BlockedValues")).json()["values"] == block
    settings = (await client.get(f"{control}/IdentityResolutionSettings")).json()
    blocked = {"builtIn": False, "values": [{"idType": "phone", "value": "+13175550001"}]}
    preview = f"{control}/IdentityResolutionSettings/Preview"
    async with with_key(app, client, "manage") as manager:
        operation = await finished(manager, await manager.post(preview, json=settings | {"blockedValues": blocked}))
        results = (await manager.get(operation["resultUrl"])).json()["results"]
        assert [each["by"]["value"] for each in results] == ["+13175550001"]
    async with with_key(app, client, "read", "write", "lookup") as other:
        assert (await other.get(operation["resultUrl"])).status_code == 403


async def test_operations_are_shown_to_who_may_start_their_kind(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    profiles = [{"traits": {"Contact": {"chat": "c-1"}}}]
    batch = await client.put(f"/v1/Stores/{store_id}/Profiles/Bulk", json={"profiles": profiles})
    await finished(client, batch)
    renamed = await client.patch(f"/v1/ControlPlane/Stores/{store_id}", json={"description": "new"})
    for scope, readable, hidden in (("write", batch, renamed), ("manage", renamed, batch)):
        async with with_key(app, client, scope) as limited:
            assert (await limited.get(readable.headers["Location"])).status_code == 200
            assert (await limited.get(hidden.headers["Location"])).status_code == 403
            listed = (await limited.get("/v1/ControlPlane/Operations")).json()["operations"]
            shown = {each["operationId"] for each in listed}
            assert readable.headers["Operation-Id"] in shown
            assert hidden.headers["Operation-Id"] not in shown
    for scope in ("lookup", "read"):
        async with with_key(app, client, scope) as limited:
            assert (await limited.get("/v1/ControlPlane/Operations")).status_code == 403
            assert (await limited.get(batch.headers["Location"])).status_code == 403


async def test_operations_are_filtered_by_store_and_status(client: httpx.AsyncClient, store_id: str) -> None:
    other = await make_store(client, "other")
    path = "/v1/ControlPlane/Operations"
    everything = (await client.get(path)).json()["operations"]
    assert [each["result"]["id"] for each in everything] == [other, store_id]
    assert everything[0] == (await client.get(everything[0]["statusUrl"])).json()
    of_store = (await client.get(path, params={"storeId": store_id, "status": "COMPLETED"})).json()["operations"]
    assert [each["result"]["id"] for each in of_store] == [store_id]
    assert (await client.get(path, params={"status": "FAILED"})).json()["operations"] == []
    assert (await client.get(path, params={"storeId": ABSENT})).json()["operations"] == []
    first = (await client.get(path, params={"pageSize": 1})).json()
    second = (await client.get(path, params={"pageSize": 1, "pageToken": first["meta"]["nextToken"]})).json()
    assert first["operations"] + second["operations"] == everything
    assert (await client.get(path, params={"storeId": "nonsense"})).json()["code"] == 520049
    assert (await client.get(path, params={"status": "DONE"})).status_code == 400


async def test_nobody_sees_the_operations_of_another_account(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    async with caller(app, *await make_account(database)) as other:
        assert (await other.get("/v1/ControlPlane/Operations")).json()["operations"] == []
        assert (await other.get("/v1/ControlPlane/Operations", params={"storeId": store_id})).json()["operations"] == []
