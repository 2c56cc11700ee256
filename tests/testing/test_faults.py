"""Faults: requests fail or wait as a test has asked for."""

import time

import httpx
import pytest

from tests.contract.conforming import check
from tests.testing.conftest import STORE_ID

LOOKUP = f"/v1/Stores/{STORE_ID}/Profiles/Lookup"
TEMPLATE = "/v1/Stores/{storeId}/Profiles/Lookup"
BODY = {"idType": "chat", "value": "c-1"}


@pytest.mark.parametrize("path", [TEMPLATE, "/v1/Stores/{id}/Profiles/Lookup", LOOKUP])
async def test_a_fault_affects_as_many_requests_for_a_hot_route_as_asked(client: httpx.AsyncClient, path: str) -> None:
    fault = {"method": "POST", "path": path, "status": 429, "times": 2, "retryAfter": 3}
    assert (await client.post("/testing/faults", json=fault)).status_code == 201
    answers = [await client.post(LOOKUP, json=BODY) for _ in range(3)]
    assert [(answer.status_code, answer.headers.get("Retry-After")) for answer in answers] == [
        (429, "3"),
        (429, "3"),
        (200, None),
    ]


async def test_a_fault_affects_batch_lookups_alone_if_their_path_is_named(client: httpx.AsyncClient) -> None:
    await client.post("/testing/faults", json={"path": f"{TEMPLATE}/Batch", "status": 503})
    assert (await client.post(LOOKUP, json=BODY)).status_code == 200
    batch = {"identifiers": [BODY]}
    answers = [await client.post(f"{LOOKUP}/Batch", json=batch) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 200]


@pytest.mark.parametrize(("status", "code"), [(429, 20429), (503, 20503), (500, 20500), (401, 20003), (403, 403)])
async def test_the_answer_has_the_error_body_of_the_contract(client: httpx.AsyncClient, status: int, code: int) -> None:
    await client.post("/testing/faults", json={"status": status})
    answer = await client.get("/v1/ControlPlane/Stores")
    assert (answer.status_code, answer.json()["status"], answer.json()["code"]) == (status, status, code)
    assert answer.headers["X-Request-Id"].startswith("RQ")


@pytest.mark.parametrize(("status", "wait"), [(429, "1"), (503, "1"), (500, None)])
async def test_429_and_503_say_when_to_retry_also_if_the_test_does_not(
    client: httpx.AsyncClient, status: int, wait: str | None
) -> None:
    await client.post("/testing/faults", json={"status": status})
    assert (await client.get("/v1/ControlPlane/Stores")).headers.get("Retry-After") == wait


async def test_a_request_with_another_method_or_path_is_not_affected(client: httpx.AsyncClient) -> None:
    await client.post("/testing/faults", json={"method": "GET", "path": TEMPLATE, "status": 500})
    await client.post("/testing/faults", json={"path": LOOKUP.replace("1/", "2/"), "status": 500})
    await client.post("/testing/faults", json={"path": "/v1/Stores/{storeId}/Profiles", "status": 500})
    assert (await client.post(LOOKUP, json=BODY)).status_code == 200


async def test_a_request_that_is_delayed_is_served_afterwards(client: httpx.AsyncClient) -> None:
    await client.post("/testing/faults", json={"path": TEMPLATE, "delaySeconds": 0.3})
    started_at = time.monotonic()
    assert (await client.post(LOOKUP, json=BODY)).status_code == 200
    assert time.monotonic() - started_at >= 0.3


async def test_faults_are_listed_with_what_is_left_of_them_and_can_be_removed(client: httpx.AsyncClient) -> None:
    first = (await client.post("/testing/faults", json={"path": TEMPLATE, "status": 500, "times": 3})).json()
    second = (await client.post("/testing/faults", json={"status": 503})).json()
    await client.post(LOOKUP, json=BODY)
    listed = (await client.get("/testing/faults")).json()["faults"]
    assert [(each["id"], each["remaining"]) for each in listed] == [(first["id"], 2), (second["id"], 1)]
    assert (await client.delete(f"/testing/faults/{first['id']}")).status_code == 204
    assert (await client.delete(f"/testing/faults/{first['id']}")).status_code == 404
    assert [each["id"] for each in (await client.get("/testing/faults")).json()["faults"]] == [second["id"]]
    assert (await client.delete("/testing/faults")).status_code == 204
    assert (await client.post(LOOKUP, json=BODY)).status_code == 200


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({}, "body: Expected status, delaySeconds or dropConnection"),
        ({"status": 200}, "status: Input should be greater than or equal to 400"),
        ({"status": 500, "dropConnection": True}, "body: Expected either status or dropConnection"),
        ({"status": 500, "method": "get"}, "method: String should match pattern '^[A-Z]+$'"),
        ({"status": 500, "path": "v1"}, "path: String should match pattern '^/'"),
        ({"status": 429, "retryAfter": -1}, "retryAfter: Input should be greater than or equal to 0"),
        ({"status": 500, "times": 0}, "times: Input should be greater than or equal to 1"),
        ({"status": 500, "delay": 1}, "delay: Extra inputs are not permitted"),
    ],
)
async def test_a_fault_that_is_unclear_is_refused(client: httpx.AsyncClient, fault: object, message: str) -> None:
    answer = await client.post("/testing/faults", json=fault)
    assert (answer.status_code, answer.json().get("message")) == (400, message)


def test_a_dropped_connection_ends_without_an_answer_and_the_next_one_is_served(tcp_client: httpx.Client) -> None:
    tcp_client.post("/testing/faults", json={"path": TEMPLATE, "dropConnection": True})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        tcp_client.post(LOOKUP, json=BODY)
    assert tcp_client.post(LOOKUP, json=BODY).status_code == 200
    recorded = tcp_client.get("/testing/requests").json()["requests"]
    assert [each.get("status") for each in recorded if each["path"] == LOOKUP] == [None, 200]


def test_a_fault_answers_a_request_with_a_long_body_on_the_same_connection(tcp_client: httpx.Client) -> None:
    tcp_client.post("/testing/faults", json={"path": TEMPLATE, "status": 503})
    answer = tcp_client.post(LOOKUP, content=b"x" * 2_000_000)
    check("POST", LOOKUP, answer.status_code, answer.headers, answer.content)
    assert answer.status_code == 503
    assert answer.headers.get("Connection") is None
