"""A head that is usual is understood by uvicorn's parser as here."""

import base64

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from profile_lookup.accounts.credentials import Credentials, digest, parse_basic
from profile_lookup.serving.usual_lookup import UsualHead, parse_usual_head
from profile_lookup.web.middleware.allowed_hosts import AllowedHosts

STORE_ID = "mem_store_00000000000000000000000000"
LINE = f"POST /v1/Stores/{STORE_ID}/Profiles/Lookup HTTP/1.1\r\n".encode()
SECRET = base64.b64encode(b"AC1:secret")
HEADERS = (
    b"Host: x\r\n", b"Authorization: Basic " + SECRET + b"\r\n", b"Content-Type: application/json\r\n",
    b"Content-Length: 41\r\n",
)  # fmt: skip
HEAD = LINE + b"".join(HEADERS) + b"\r\n"


def _parsed(head: bytes, hosts: AllowedHosts | None = None) -> UsualHead | None:
    return parse_usual_head(head, {}, hosts)


def test_a_usual_head() -> None:
    assert _parsed(HEAD) == UsualHead(STORE_ID, Credentials("AC1", digest("secret")), 41, None, is_forwarded=False)


@pytest.mark.parametrize(
    ("header", "request_id", "is_forwarded"),
    [
        (b"X-Request-Id: a-1", "a-1", False),
        (b"X-Request-Id: a@b", None, False),
        (b"x-forwarded-for: 192.0.2.1", None, True),
        (b"Connection: Keep-Alive", None, False),
        (b"Accept:*/*", None, False),
    ],
)
def test_what_headers_say(header: bytes, request_id: str | None, *, is_forwarded: bool) -> None:
    parsed = _parsed(HEAD[:-2] + header + b"\r\n\r\n")
    assert parsed is not None
    assert (parsed.request_id, parsed.is_forwarded) == (request_id, is_forwarded)


@pytest.mark.parametrize(
    "header",
    [
        b"Connection: close", b"Expect: 100-continue", b"Transfer-Encoding: chunked", b"Upgrade: h2c", b"Trailer: x",
        b"Proxy-Connection: close", b"Content-Encoding: gzip", b"Content-Length: 41", b"Accept: a\r\nAccept: a",
        b"Accept: \xe9", b"Accept:", b"Accept: a ", b"Accept : a", b" Accept: a", b"Accept:\ta", b"Accept: a\r",
    ],
)  # fmt: skip
def test_a_head_with_an_unusual_header_is_left_to_uvicorn(header: bytes) -> None:
    assert _parsed(HEAD[:-2] + header + b"\r\n\r\n") is None


@pytest.mark.parametrize("left_out", HEADERS[1:])
def test_a_head_without_a_header_that_is_needed_is_left_to_uvicorn(left_out: bytes) -> None:
    assert _parsed(HEAD.replace(left_out, b"")) is None


@pytest.mark.parametrize(("host", "is_allowed"), [("x", True), ("y", False)])
def test_a_head_for_another_host_is_left_to_uvicorn(host: str, *, is_allowed: bool) -> None:
    assert (_parsed(HEAD, AllowedHosts(host)) is not None) == is_allowed


class _Message:
    """What uvicorn's parser understands."""

    def __init__(self, sent: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.url = b""
        self.body = b""
        self.is_complete = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(sent)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_complete = True


@st.composite
def _heads(draw: st.DrawFn) -> bytes:
    """A head with a few changes of a few bytes."""
    head = HEAD[:-2] + draw(st.sampled_from((b"", b"Accept: a\r\n", b"Connection: keep-alive\r\n"))) + HEAD[-2:]
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(head) - 2))
        piece = draw(
            st.binary(max_size=2) | st.sampled_from((b" ", b"\t", b"\r\n", b"\n", b":", b"0", b"9", b",", b"-"))
        )
        head = head[:start] + piece + head[start + draw(st.integers(0, 2)) :]
    return head


@given(_heads())
@example(HEAD.replace(b": 41", b": 041"))
@example(HEAD.replace(b": 41", b": +41"))
@example(HEAD.replace(b"\r\n", b"\n"))
def test_a_usual_head_means_the_same_to_uvicorn(head: bytes) -> None:
    parsed = _parsed(head) if head.find(b"\r\n\r\n") == len(head) - 4 else None
    if parsed is None:
        return
    body = b"x" * parsed.body_size
    message = _Message(head + body)
    headers = dict(message.headers)
    assert message.is_complete
    assert message.body == body
    assert message.parser.get_method() == b"POST"
    assert message.parser.get_http_version() == "1.1"
    assert message.parser.should_keep_alive()
    assert not message.parser.should_upgrade()
    assert message.url == f"/v1/Stores/{parsed.store_id}/Profiles/Lookup".encode()
    assert len(headers) == len(message.headers)
    assert headers[b"content-length"] == str(parsed.body_size).encode()
    assert parse_basic(headers[b"authorization"].decode()) == parsed.credentials
