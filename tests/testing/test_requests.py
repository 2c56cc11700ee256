"""The requests that a server for tests has got, as it recorded them."""

import json
from typing import Any

import httpx

from profile_lookup.testing.recording import MAX_BODY, MAX_REQUESTS
from tests.conftest import BASE_URL
from tests.testing.conftest import STORE_ID

LOOKUP = f"/v1/Stores/{STORE_ID}/Profiles/Lookup"
BODY = {"idType": "chat", "value": "Zoë"}


async def test_a_request_is_recorded_with_its_path_status_credentials_and_body(client: httpx.AsyncClient) -> None:
    await client.post(LOOKUP, json=BODY)
    (recorded,) = await _recorded(client)
    assert isinstance(client.auth, httpx.BasicAuth)
    assert recorded.pop("sid").startswith("SK")
    assert json.loads(recorded.pop("body")) == BODY
    assert recorded == {
        "method": "POST",
        "path": LOOKUP,
        "pathTemplate": "/v1/Stores/{storeId}/Profiles/Lookup",
        "status": 200,
        "isBodyCut": False,
    }


async def test_requests_are_recorded_in_the_order_in_which_they_arrived(client: httpx.AsyncClient) -> None:
    await client.get("/v1/ControlPlane/Stores", params={"pageSize": 1})
    await client.get(f"/v1/ControlPlane/Stores/{STORE_ID}")
    await client.get("/v1/nothing")
    await client.get("/testing/clock")
    recorded = await _recorded(client)
    assert [(each["path"], each.get("pathTemplate"), each["status"]) for each in recorded] == [
        ("/v1/ControlPlane/Stores", "/v1/ControlPlane/Stores", 200),
        (f"/v1/ControlPlane/Stores/{STORE_ID}", "/v1/ControlPlane/Stores/{storeId}", 200),
        ("/v1/nothing", None, 404),
    ]


async def test_wrong_credentials_are_recorded_by_their_sid(client: httpx.AsyncClient) -> None:
    await client.get("/v1/ControlPlane/Stores", auth=("AC0", "wrong"))
    async with httpx.AsyncClient(transport=client._transport, base_url=BASE_URL) as stranger:
        await stranger.get("/v1/ControlPlane/Stores")
    assert [(each["status"], each.get("sid")) for each in await _recorded(client)] == [(401, "AC0"), (401, None)]


async def test_a_request_that_a_fault_answered_is_recorded_with_its_body(client: httpx.AsyncClient) -> None:
    await client.post("/testing/faults", json={"status": 429})
    await client.post(LOOKUP, json=BODY)
    (recorded,) = await _recorded(client)
    assert (recorded["status"], json.loads(recorded["body"])) == (429, BODY)


async def test_a_long_body_is_kept_in_part(client: httpx.AsyncClient) -> None:
    await client.post(LOOKUP, json={"idType": "chat", "value": "x" * 2 * MAX_BODY})
    (recorded,) = await _recorded(client)
    assert (len(recorded["body"]), recorded["isBodyCut"]) == (MAX_BODY, True)


async def test_the_oldest_requests_are_dropped(client: httpx.AsyncClient) -> None:
    for _ in range(MAX_REQUESTS + 1):
        await client.get("/healthz")
    await client.get("/readyz")
    recorded = await _recorded(client)
    assert (len(recorded), recorded[-1]["path"]) == (MAX_REQUESTS, "/readyz")


async def _recorded(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = (await client.get("/testing/requests")).json()["requests"]
    return requests
