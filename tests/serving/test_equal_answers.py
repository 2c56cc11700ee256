"""Lookups that are answered on their connection get the answers that the application gives, whatever clients send."""

import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import httptools
import pytest
from hypothesis import given
from hypothesis import settings as of_examples
from hypothesis import strategies as st

from profile_lookup.settings import Settings
from tests.conftest import PATIENCE
from tests.running_service import serving
from tests.serving.lookups import FOUND, LookupStore, make_lookup_store
from tests.serving.raw_http import connected, received_until_end, request

QUIET = 0.3  # seconds without an answer, after which garbage ends the body that the service may wait for
END = request("GET", "/healthz", "Connection: close")
GARBAGE = b"\0" * 20_000
BODIES = (
    FOUND, b'{"idType":"phone","value":"(317) 555-6789"}', b'{"idType": "chat", "value": "nobody"}',
    '{"idType":"chat","value":"é ✓"}'.encode(), b'{"idType":"chat","value":"c-1","x":null}',
    b'{"idType":"phone","value":"none"}', b'{"idType":"fax","value":"1"}', b'{"idType":"name","value":"Alyssa"}',
    b"{", b"", b"[]", b'{"value":1}', b'{"idType":"chat","value":"' + b"x" * 9_000 + b'"}',
)  # fmt: skip
HEADERS = (
    "X-Request-Id: abc-1", "X-Request-Id: a@example.com", "x-request-id: \tpadded ", "Connection: keep-alive",
    "Connection: Keep-Alive", "Connection: close", "Upgrade: websocket", "Expect: 100-continue",
    "Proxy-Connection: close", "Content-Encoding: identity", "Content-Encoding: gzip", "X-Forwarded-For: 192.0.2.9",
    "X-Forwarded-Proto: https", "User-Agent: é", "Accept:", "Accept: */*", " folded: 1", "no colon", "A b: c",
    "Content-Length: 41", "Content-Length: 5", "Transfer-Encoding: chunked", "Transfer-Encoding: identity",
    "Authorization: Basic AAAA", "Host: y", "Trailer: x", "Cookie: " + "x" * 9_000,
)  # fmt: skip
PATHS = ("", "?a=b", "/", "%20", "#x")
LENGTHS = (
    "Content-Length: {}",
    "content-length: {}",
    "Content-Length:{}",
    "Content-Length: 00{}",
    "Content-Length: {} ",
)
TYPES = ("application/json", "application/json; charset=utf-8", "text/plain", "application/vnd.x+json", "")
_VARIABLE = re.compile(
    rb"(?<=\r\ndate: )[^\r]+|(?<=request-id: )RQ[0-9a-f]{32}|(?<=127\.0\.0\.1:)[0-9]+"  # the latter is in an address
)


@dataclass(frozen=True)
class Pair:
    """Two services on one database: `direct` answers Lookups on their connections, and `usual` does not."""

    direct: str
    usual: str
    store: LookupStore

    def answers(self, pieces: Sequence[bytes], pause: float = 0.0) -> list[bytes]:
        """Send the pieces to both services, and return the answers, which must be equal."""
        direct, usual = (self._answers_of(url, pieces, pause) for url in (self.direct, self.usual))
        if _is_well_formed(b"".join(pieces)):
            assert direct == usual
        else:  # what is not HTTP ends requests that are under way when it arrives, which is a matter of chance
            shorter, longer = sorted(map(_without_refusal, (direct, usual)), key=len)
            assert longer[: len(shorter)] == shorter
        return direct

    def _answers_of(self, url: str, pieces: Sequence[bytes], pause: float) -> list[bytes]:
        """Send the pieces on a connection on which the caller was admitted before."""
        with connected(url) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(self.store.lookup())
            while not connection.recv(1 << 16).endswith(b"}"):
                pass
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
            except ConnectionError:  # the service has refused a request and ended the connection
                pass
            return _split(_VARIABLE.sub(b"...", _received(connection)))


def _received(connection: socket.socket) -> bytes:
    """Return what is received until the connection ends, which garbage ends if nothing is received for a while."""
    received = b""
    connection.settimeout(QUIET)
    try:
        while part := connection.recv(1 << 16):
            received += part
    except TimeoutError:
        connection.settimeout(PATIENCE)
        with suppress(ConnectionError):
            connection.sendall(GARBAGE)
        received += received_until_end(connection)
    except ConnectionError:
        pass
    return received


def _split(received: bytes) -> list[bytes]:
    """Return each answer."""
    answers = []
    while received:
        head, end, rest = received.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head)
        size = int(length[1]) if length else 0
        answers.append(head + end + rest[:size])
        received = rest[size:]
    return answers


def _is_well_formed(stream: bytes) -> bool:
    """Return whether the stream consists of requests, of which one ends the connection."""
    messages = _Messages()
    with suppress(httptools.HttpParserError):
        messages.parser.feed_data(stream)
        return messages.is_ended
    return False


class _Messages:
    """Parses requests as uvicorn does."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.is_ended = False

    def on_message_complete(self) -> None:
        self.is_ended = self.is_ended or not self.parser.should_keep_alive()


def _without_refusal(answers: Sequence[bytes]) -> Sequence[bytes]:
    """Return the answers without that to what is not HTTP."""
    return answers[:-1] if answers and b"not well-formed HTTP" in answers[-1] else answers


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"failed_credentials_per_second": 0.0})


@pytest.fixture
def pair(settings: Settings, synchronous_account: tuple[str, str]) -> Iterator[Pair]:
    without = settings.model_copy(update={"direct_lookups": False, "run_operations": False})
    with serving(settings) as direct, serving(without) as usual:
        yield Pair(direct, usual, make_lookup_store(direct, synchronous_account))


@st.composite
def _requests(draw: st.DrawFn, store: LookupStore) -> bytes:
    """A Lookup, of which anything may be unusual, or another request."""
    if draw(st.integers(0, 9)) == 0:
        return request("GET", "/healthz")
    body = draw(st.sampled_from(BODIES))
    is_usual = draw(st.booleans())
    extra = [] if is_usual else draw(st.lists(st.sampled_from(HEADERS), max_size=2))
    media_type = "application/json" if is_usual else draw(st.sampled_from(TYPES))
    length = LENGTHS[0] if is_usual else draw(st.sampled_from(LENGTHS))
    difference = 0 if is_usual else draw(st.sampled_from((0, 0, 0, -1, 1, 60)))
    account = store.account if is_usual or draw(st.booleans()) else (store.account[0], "wrong")
    headers = [*extra, f"Content-Type: {media_type}", length.format(max(0, len(body) + difference))]
    method = "POST" if is_usual else draw(st.sampled_from(("POST", "POST", "GET", "PUT")))
    path = store.path + ("" if is_usual else draw(st.sampled_from(PATHS)))
    head = request(method, path, *headers, credentials=account)
    if not is_usual and draw(st.integers(0, 5)) == 0:
        head = head.replace(*draw(st.sampled_from(((b"HTTP/1.1", b"HTTP/1.0"), (b"\r\n", b"\n"), (b": ", b" : ")))))
    return head + body


@st.composite
def _streams(draw: st.DrawFn, store: LookupStore) -> list[bytes]:
    """Some requests in random pieces. A byte of them may be another one."""
    sent = b"".join(draw(st.lists(_requests(store), min_size=1, max_size=4)))
    if draw(st.integers(0, 3)) == 0:
        position = draw(st.integers(0, len(sent) - 1))
        sent = sent[:position] + draw(st.binary(max_size=2)) + sent[position + 1 :]
    ends = sorted(draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    pieces = [sent[start:end] for start, end in pairwise((0, *ends, len(sent)))]
    return [piece for piece in pieces if piece]


def test_random_streams_have_equal_answers(pair: Pair) -> None:
    @given(st.data())
    @of_examples(max_examples=150, deadline=None)
    def streams_have_equal_answers(data: st.DataObject) -> None:
        pieces = data.draw(_streams(pair.store))
        pair.answers([*pieces, END], pause=data.draw(st.sampled_from((0.0, 0.003))))

    streams_have_equal_answers()


def test_a_lookup_alone_has_equal_answers(pair: Pair) -> None:
    """Each is sent alone and whole, so the service with direct lookups answers it directly if it is usual."""
    for number, body in enumerate(BODIES):
        for header in HEADERS if number == 0 else HEADERS[number::7]:
            pair.answers([pair.store.lookup(body, header), END], pause=0.005)


def test_a_lookup_whose_body_follows_its_head_has_equal_answers(pair: Pair) -> None:
    for body in BODIES:
        pair.answers([pair.store.lookup(body).removesuffix(body), body, END], pause=0.005)
    pair.answers([pair.store.lookup(), pair.store.lookup().removesuffix(FOUND), FOUND + END], pause=0.005)
    pair.answers([pair.store.lookup().removesuffix(FOUND), FOUND[:9], FOUND[9:], END], pause=0.005)
    pair.answers([pair.store.lookup().removesuffix(FOUND), END, END])
