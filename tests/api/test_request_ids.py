"""Every answer has the ID of its request: the caller's, if it is safe to log, or else one of ours."""

import re
import socket
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx
import pytest

OURS = "RQ[0-9a-f]{32}"
SAFE = [
    "sent-1",
    "sent-5f2b9c1e-8a34-4c1f-9d52-1f6f3a0f7c11",
    "sent-Root=1-67891233-abcdef",
    "sent-a_b.c:d/e",
    "sent-" + "x" * 123,
]
UNSAFE = ["", " ", "x" * 129, "two words", "ann@example.com", "+13175556789", '"x"', "x;y", "x\ty", "ä".encode("latin-1")]  # fmt: skip


def _paths(store_id: str) -> list[tuple[str, str]]:
    return [
        ("POST", f"/v1/Stores/{store_id}/Profiles/Lookup"),
        ("POST", f"/v1/Stores/{store_id}/Profiles"),
        ("GET", "/v1/ControlPlane/Stores"),
        ("GET", "/nothing/here"),
    ]


@pytest.mark.parametrize("sent", SAFE)
async def test_a_safe_id_is_taken_over(client: httpx.AsyncClient, store_id: str, sent: str) -> None:
    for method, path in _paths(store_id):
        answer = await client.request(method, path, headers={"X-Request-Id": sent})
        assert (answer.headers["X-Request-Id"], answer.headers["Twilio-Request-Id"]) == (sent, sent)


@pytest.mark.parametrize("sent", UNSAFE)
async def test_an_unsafe_id_is_replaced(client: httpx.AsyncClient, store_id: str, sent: str | bytes) -> None:
    value = sent.encode() if isinstance(sent, str) else sent
    for method, path in _paths(store_id):
        answer = await client.request(method, path, headers=[(b"X-Request-Id", value)])
        assert re.fullmatch(OURS, answer.headers["X-Request-Id"])
        assert answer.headers["Twilio-Request-Id"] == answer.headers["X-Request-Id"]


async def test_requests_without_an_id_get_one_each(client: httpx.AsyncClient, store_id: str) -> None:
    answers = [await client.request(method, path) for method, path in _paths(store_id) * 3]
    made = {answer.headers["X-Request-Id"] for answer in answers}
    assert len(made) == len(answers)
    assert all(re.fullmatch(OURS, each) for each in made)
    assert all(answer.headers["Twilio-Request-Id"] == answer.headers["X-Request-Id"] for answer in answers)


async def test_the_first_of_several_ids_counts(client: httpx.AsyncClient) -> None:
    for first, second, expected in (("sent-1", "sent-2", "sent-1"), ("un safe", "sent-2", OURS)):
        headers = [("X-Request-Id", first), ("X-Request-Id", second)]
        answer = await client.get("/v1/ControlPlane/Stores", headers=headers)
        assert re.fullmatch(expected, answer.headers["X-Request-Id"])


def test_the_answer_to_invalid_http_has_an_id(service_url: str) -> None:
    address = urlsplit(service_url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(b"nonsense\r\nX-Request-Id: sent-1\r\n\r\n")
        answer = HTTPResponse(connection)
        answer.begin()
    request_id = answer.getheader("X-Request-Id")
    assert request_id is not None
    assert re.fullmatch(OURS, request_id)
    assert answer.getheader("Twilio-Request-Id") == request_id
