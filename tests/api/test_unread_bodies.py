"""A refused caller's body is not read: the answer comes at once, and clients see it rather than a reset."""

import base64
import socket
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx
import pytest
import requests

from profile_lookup.web.middleware.unread_body import LINGER, MAX_DISCARDED
from tests.conftest import PATIENCE

PATH = f"/v1/Stores/mem_store_{'0' * 26}/Profiles"
WRONG = base64.b64encode(b"AC00:wrong").decode()


@pytest.fixture
def connection(service_url: str) -> Iterator[socket.socket]:
    address = urlsplit(service_url)
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as opened:
        yield opened


def _head(path: str, *more: str) -> bytes:
    lines = (
        f"PUT {path} HTTP/1.1",
        "Host: x",
        f"Authorization: Basic {WRONG}",
        "Content-Type: application/json",
        *more,
    )
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def _answer(connection: socket.socket) -> HTTPResponse:
    answer = HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer


@pytest.mark.parametrize(
    "length",
    [f"Content-Length: {MAX_DISCARDED + 1}", f"Content-Length: {MAX_DISCARDED + 1:030}", "Transfer-Encoding: chunked"],
)
def test_a_long_body_is_refused_before_it_is_sent_and_the_connection_ends(
    connection: socket.socket, length: str
) -> None:
    connection.sendall(_head(f"{PATH}/Bulk", length))
    answer = _answer(connection)  # the body is still to come
    assert (answer.status, answer.getheader("Connection")) == (401, "close")
    assert connection.recv(1) == b""


def test_a_short_body_is_discarded_and_the_connection_stays(connection: socket.socket) -> None:
    for _ in range(2):
        connection.sendall(_head(f"{PATH}/Bulk", f"Content-Length: {MAX_DISCARDED}") + b"x" * MAX_DISCARDED)
        answer = _answer(connection)
        assert (answer.status, answer.getheader("Connection")) == (401, None)


def test_a_client_that_goes_on_sending_is_cut_off_after_a_moment(connection: socket.socket) -> None:
    connection.sendall(_head(f"{PATH}/Bulk", f"Content-Length: {1 << 30}"))
    assert _answer(connection).status == 401
    began = time.monotonic()
    while _accepts(connection):
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.01)
    assert time.monotonic() - began > LINGER / 2


def _accepts(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"x" * 1000)
    except OSError:  # it was reset
        return False
    return True


@pytest.mark.parametrize("path", [f"{PATH}/Bulk", "/nowhere"])
def test_the_http_libraries_of_official_clients_see_the_answer(service_url: str, path: str) -> None:
    body = b"[" + b"{}," * 5_000_000 + b"{}]"
    expected = 404 if path == "/nowhere" else 401
    assert requests.put(service_url + path, data=body, auth=("AC00", "wrong"), timeout=PATIENCE).status_code == expected
    assert httpx.put(service_url + path, content=body, auth=("AC00", "wrong"), timeout=PATIENCE).status_code == expected


def test_a_body_of_very_many_values_is_refused_unparsed(service_url: str, synchronous_account: tuple[str, str]) -> None:
    with httpx.Client(base_url=service_url, auth=synchronous_account, timeout=PATIENCE) as client:
        accepted = client.post("/v1/ControlPlane/Stores", json={"displayName": "many"})
        store_id = client.get(accepted.json()["statusUrl"]).json()["result"]["id"]
        path = f"/v1/Stores/{store_id}/Profiles"
        headers = {"Content-Type": "application/json"}
        for method, address, values in (("PUT", f"{path}/Bulk", 1_000_000), ("POST", path, 100_000)):
            body = b"[" + b"{}," * (values // 2 - 1) + b"{}]"  # exactly as many
            assert client.request(method, address, content=body, headers=headers).status_code == 400
            more = client.request(method, address, content=body + b",", headers=headers)
            assert (more.status_code, more.json()["code"]) == (413, 20413)
