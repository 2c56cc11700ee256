"""HTTP over plain sockets, for clients that send less, more, or more slowly than a library would."""

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from urllib.parse import urlsplit

from tests.conftest import PATIENCE

UNKNOWN_STORE = f"/v1/Stores/mem_store_{'0' * 26}"
WRONG_CREDENTIALS = ("AC00", "wrong")


@contextmanager
def connected(base_url: str) -> Iterator[socket.socket]:
    address = urlsplit(base_url)
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as opened:
        yield opened


def request(method: str, path: str, *headers: str, credentials: tuple[str, str] | None = None) -> bytes:
    """Return the head of a request."""
    if credentials is not None:
        headers = (*headers, f"Authorization: Basic {base64.b64encode(':'.join(credentials).encode()).decode()}")
    lines = (f"{method} {path} HTTP/1.1", "Host: x", *headers)
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


@dataclass(frozen=True)
class Answer:
    status: int
    connection: str | None
    body: bytes

    @property
    def code(self) -> int:
        code: int = json.loads(self.body)["code"]
        return code


def answer_on(connection: socket.socket) -> Answer:
    """Return the next answer. What came in one piece with it is lost."""
    answer = HTTPResponse(connection)
    answer.begin()
    return Answer(answer.status, answer.getheader("Connection"), answer.read())


def is_ended(connection: socket.socket) -> bool:
    """Wait for the next byte or the end of the connection, and return whether it is the end."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def received_until_end(connection: socket.socket) -> bytes:
    received = b""
    try:
        while part := connection.recv(1 << 16):
            received += part
    except ConnectionResetError:
        pass
    return received
