"""A thousand clients that send their requests too slowly cost little memory, and hold up nobody."""

import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from tests.conftest import PATIENCE
from tests.imports.conftest import mappings
from tests.program.conftest import MIB, Service
from tests.serving.raw_http import WRONG_CREDENTIALS, connected, request

SLOW_HEADS, STALLED_BODIES = 1000, 60
PART_OF_HEAD = 32 << 10  # bytes
PART_OF_FILE = 700 << 10  # bytes; some are written to disk, and the others stay in memory
LOOKUPS = 1000  # they take less time than a head may
BODY = {"idType": "phone", "value": "+13175556789"}


@pytest.mark.slow
@pytest.mark.parametrize("uploads", ["admitted", "strangers"])
def test_a_thousand_slow_heads_and_sixty_stalled_uploads(service: Service, uploads: str) -> None:
    quiet = _p99_of_lookups(service)
    with service.growing_less_than(100 * MIB), _slow_heads(service), _stalled_bodies(service, uploads):
        busy = _p99_of_lookups(service)
        assert httpx.get(f"{service.base_url}/healthz", timeout=PATIENCE).status_code == 200
    # pytest -rP shows these figures for docs/reliability.md
    print(f"p99 of a Lookup: {quiet * 1000:.1f} ms alone, {busy * 1000:.1f} ms beside slow clients")  # noqa: T201
    assert _p99_of_lookups(service) > 0  # the service goes on when they have gone


def _p99_of_lookups(service: Service) -> float:
    """Look up one after the other, and return the 99th percentile of their times, in seconds."""
    latencies = []
    with service.client(service.credentials) as client:
        for _ in range(LOOKUPS):
            began = time.perf_counter()
            answer = client.post(f"{service.profiles}/Lookup", json=BODY)
            latencies.append(time.perf_counter() - began)
            assert answer.status_code == 200
    return statistics.quantiles(latencies, n=100)[-1]


@contextmanager
def _slow_heads(service: Service) -> Iterator[None]:
    """Keep connections with a part of a request's head while the block runs."""
    head = request("GET", "/healthz", f"Cookie: {'x' * PART_OF_HEAD}")
    with _connections(service, SLOW_HEADS) as connections:
        for connection in connections:
            connection.sendall(head[:PART_OF_HEAD])
        yield


@contextmanager
def _stalled_bodies(service: Service, uploads: str) -> Iterator[None]:
    """Keep connections with a part of a body while the block runs: of admitted uploads, or of strangers' bulks."""
    if uploads == "admitted":
        head = request("PUT", _upload_path(service), f"Content-Length: {100 * MIB}")
    else:
        path = f"{service.profiles}/Bulk"
        head = request("PUT", path, f"Content-Length: {100 * MIB}", credentials=WRONG_CREDENTIALS)
    with _connections(service, STALLED_BODIES) as connections:
        for connection in connections:
            try:
                connection.sendall(head + b"x" * PART_OF_FILE)
            except ConnectionError:  # a stranger was cut off
                assert uploads != "admitted"
        yield


@contextmanager
def _connections(service: Service, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connected(service.base_url)) for _ in range(count)]


def _upload_path(service: Service) -> str:
    """Create an import, and return the path that its file is uploaded to."""
    body = {"filename": "people.csv", "fileSize": 100 * MIB, "columnMappings": mappings()}
    with service.client(service.credentials) as client:
        created = client.post(f"{service.profiles}/Imports", json=body)
    assert created.status_code == 201, created.text
    path: str = created.json()["url"].removeprefix(service.base_url)
    return path
