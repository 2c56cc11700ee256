"""Clients that send a request slowly, or never, and heads that are too large."""

import json
import socket
import time

import pytest

from profile_lookup.serving.http_protocol import MAX_HEAD, MAX_PIPELINED
from profile_lookup.serving.progress_watch import BODY
from profile_lookup.settings import Settings
from tests.conftest import PATIENCE
from tests.serving.raw_http import (
    UNKNOWN_STORE,
    WRONG_CREDENTIALS,
    Answer,
    answer_on,
    connected,
    is_ended,
    received_until_end,
    request,
)

STRANGERS = 3
HEALTH = request("GET", "/healthz")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No proxy is trusted, so that connections of this machine count."""
    return settings.model_copy(update={"trusted_proxies": "192.0.2.1", "max_strangers_per_address": STRANGERS})


@pytest.mark.parametrize(("excess", "status"), [(0, 200), (1, 431)])
def test_a_head_of_more_than_64_kib_is_refused(service_url: str, excess: int, status: int) -> None:
    """The names and values of its headers count, and the path."""
    counted = len("/healthz" + "host" + "x" + "cookie")
    with connected(service_url) as connection:
        connection.sendall(request("GET", "/healthz", f"Cookie: {'x' * (MAX_HEAD - counted + excess)}"))
        answer = answer_on(connection)
        assert answer.status == status
        if excess:
            assert answer.connection == "close"
            assert answer.code == 20431
            assert is_ended(connection)


@pytest.mark.parametrize("start", [b"", HEALTH])
def test_a_head_without_an_end_is_refused_when_it_is_too_large(service_url: str, start: bytes) -> None:
    with connected(service_url) as connection:
        connection.sendall(start + b"GET /healthz HTTP/1.1\r\nCookie: " + b"x" * (MAX_HEAD + (16 << 10)))
        # A request before it may be answered first, but need not be.
        assert received_until_end(connection).count(b"HTTP/1.1 431") == 1


def test_a_body_does_not_count_as_a_head(service_url: str) -> None:
    body = b"x" * (3 * MAX_HEAD)
    path = f"{UNKNOWN_STORE}/Profiles/Bulk"
    with connected(service_url) as connection:
        connection.sendall(request("PUT", path, f"Content-Length: {len(body)}", credentials=WRONG_CREDENTIALS) + body)
        assert answer_on(connection).status == 401


def test_a_trailer_is_no_header(service_url: str, synchronous_account: tuple[str, str]) -> None:
    """uvicorn would add it to the headers before the application sees them."""
    head = request("GET", "/v1/ControlPlane/Stores", "Transfer-Encoding: chunked")
    with_credentials = request("GET", "/", credentials=synchronous_account)
    authorization = with_credentials[with_credentials.index(b"Authorization") :]
    with connected(service_url) as connection:
        connection.sendall(head + b"0\r\n" + authorization)
        assert answer_on(connection).status == 401


@pytest.mark.parametrize(("count", "is_served"), [(MAX_PIPELINED + 1, True), (10 * MAX_PIPELINED, False)])
def test_a_connection_with_very_many_requests_at_once_is_ended(service_url: str, count: int, is_served: bool) -> None:
    with connected(service_url) as connection:
        connection.sendall(HEALTH * (count - 1) + request("GET", "/healthz", "Connection: close"))
        assert (received_until_end(connection).count(b"HTTP/1.1 200") == count) == is_served


def test_connections_beyond_an_address_s_limit_are_served_but_end_soon_if_they_send_nothing(
    service_url: str, synchronous_account: tuple[str, str]
) -> None:
    with (
        connected(service_url) as first,
        connected(service_url),
        connected(service_url),
        connected(service_url) as more,
    ):
        more.sendall(request("GET", "/v1/ControlPlane/Stores", credentials=synchronous_account))
        assert answer_on(more).status == 200  # its caller was admitted, so it does not count any more
        with connected(service_url) as crowded:
            assert is_ended(crowded)
        for kept in (first, more):  # the first one has been idle for longer
            kept.sendall(HEALTH)
            assert answer_on(kept).status == 200


def test_a_connection_beyond_the_limit_is_not_kept_long_for_a_stranger(service_url: str) -> None:
    with connected(service_url), connected(service_url), connected(service_url), connected(service_url) as crowded:
        crowded.sendall(HEALTH)
        assert answer_on(crowded).status == 200
        assert is_ended(crowded)  # by default it would be kept longer than this test waits


@pytest.mark.slow
@pytest.mark.parametrize("start", [b"GET /healthz HTTP/1.1\r\n", HEALTH + b"GET /"])
def test_a_head_that_comes_byte_by_byte_ends_after_a_while(service_url: str, start: bytes) -> None:
    with connected(service_url) as connection:
        connection.sendall(start)
        if start.startswith(HEALTH):
            assert answer_on(connection).status == 200
        answer = _answer_while_sending(connection)
        assert (answer.status, answer.code) == (408, 20408)
        assert is_ended(connection)


@pytest.mark.slow
@pytest.mark.parametrize("received", [b"", b"\r\n"])
def test_a_connection_on_which_no_request_begins_ends_after_a_while(service_url: str, received: bytes) -> None:
    with connected(service_url) as connection:
        connection.sendall(HEALTH if received else b"")
        if received:
            assert answer_on(connection).status == 200
            connection.sendall(received)
            assert answer_on(connection).status == 408
        assert is_ended(connection)


@pytest.mark.slow
def test_a_body_that_stands_still_ends_after_a_while_and_a_slow_one_does_not(
    service_url: str, synchronous_account: tuple[str, str]
) -> None:
    body = json.dumps({"displayName": "x" * 50}).encode() + b" " * (3 * int(BODY.bytes))
    head = request(
        "POST", "/v1/ControlPlane/Stores", "Content-Type: application/json", f"Content-Length: {len(body)}",
        credentials=synchronous_account,
    )  # fmt: skip
    with connected(service_url) as stalled, connected(service_url) as slow:
        for connection in (stalled, slow):
            connection.sendall(head + body[:100])
        parts = 30  # in more seconds than a body may stand still, but each with some progress
        size = (len(body) - 100) // parts + 1
        for start in range(100, len(body), size):
            time.sleep(2 * BODY.seconds / parts)
            slow.sendall(body[start : start + size])
        assert answer_on(slow).status == 202
        answer = answer_on(stalled)
        assert (answer.status, answer.code) == (408, 20408)
        assert is_ended(stalled)


def _answer_while_sending(connection: socket.socket) -> Answer:
    """Send a byte twice a second until an answer comes, and return it."""
    connection.settimeout(0.5)
    for _ in range(2 * PATIENCE):
        try:
            connection.recv(1, socket.MSG_PEEK)
            break
        except TimeoutError:
            connection.sendall(b"x")
    connection.settimeout(PATIENCE)
    return answer_on(connection)
