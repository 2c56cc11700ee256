"""Puts load on a server of this machine for a bounded time: by wrk if it is installed, or by our own generator.

Our own generator is written in Python and uses more of a core than wrk, so it measures a fast server as slower than it
is. Figures of the two cannot be compared.
"""

import asyncio
import itertools
import json
import math
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import httptools
import uvloop

from benchmarks.errors import BenchmarkError, MissingProgramError

Generator = Literal["wrk", "own"]

GRACE = 30.0  # seconds that a measurement may take in addition to its duration


@dataclass(frozen=True, slots=True)
class Target:
    port: int
    path: str
    authorization: str
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Latencies are in milliseconds. `failed`: answers without success, broken connections, time-outs."""

    requests: int
    failed: int
    seconds: float
    p50: float
    p99: float


class Load:
    """Sends bodies in order; each connection waits for its answer. `generator` None: wrk if it is installed."""

    def __init__(self, generator: Generator | None) -> None:
        installed = shutil.which("wrk")
        if generator == "wrk" and installed is None:
            raise MissingProgramError("wrk is not installed")
        self._wrk = None if generator == "own" else installed

    @property
    def name(self) -> Generator:
        return "own" if self._wrk is None else "wrk"

    def run(self, target: Target, bodies: Sequence[bytes], connections: int, seconds: float, first: int) -> Outcome:
        """Send bodies for some seconds. `first`: the index of the first body."""
        first %= len(bodies)
        if self._wrk is None:
            return uvloop.run(_generate(target, bodies, connections, seconds, first))
        return _by_wrk(self._wrk, target, bodies, connections, seconds, first)


def _by_wrk(wrk: str, target: Target, bodies: Sequence[bytes], connections: int, seconds: float, first: int) -> Outcome:
    whole_seconds = math.ceil(seconds)  # wrk accepts only whole seconds
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\n".join(bodies))
        file.flush()
        command = [
            wrk, "--threads", "1", "--connections", str(connections), "--duration", f"{whole_seconds}s",
            "--timeout", "10s", "--script", str(Path(__file__).parent / "wrk.lua"),
            f"http://127.0.0.1:{target.port}{target.path}",
            "--", file.name, str(first), target.authorization,
        ]  # fmt: skip
        process = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=whole_seconds + GRACE
        )  # fmt: skip
    for line in process.stdout.splitlines():
        if line.startswith("JSON "):
            return Outcome(**json.loads(line.removeprefix("JSON ")))
    raise BenchmarkError(f"wrk failed: {process.stdout}{process.stderr}")


async def _generate(target: Target, bodies: Sequence[bytes], connections: int, seconds: float, first: int) -> Outcome:
    loop = asyncio.get_running_loop()
    next_bodies = itertools.islice(itertools.cycle(bodies), first, None)
    clients = [Client(target, next_bodies, loop.create_future()) for _ in range(connections)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", target.port)  # type: ignore[misc]
    started_at = time.perf_counter()
    for client in clients:
        client.begin(started_at + seconds)
    async with asyncio.timeout(seconds + GRACE):
        await asyncio.gather(*(client.finished for client in clients))
    elapsed = time.perf_counter() - started_at
    latencies = [latency for client in clients for latency in client.latencies]
    failed = sum(client.failed for client in clients)
    if len(latencies) < 2:  # noqa: PLR2004 -- quantiles need two values
        raise BenchmarkError("nothing was answered in time")
    percentiles = statistics.quantiles(latencies, n=100, method="inclusive")
    return Outcome(len(latencies), failed, elapsed, percentiles[49] * 1e3, percentiles[98] * 1e3)


class Client(asyncio.Protocol):
    """A keep-alive connection with one request at a time."""

    def __init__(self, target: Target, bodies: Iterator[bytes], finished: asyncio.Future[None]) -> None:
        self.finished = finished
        self.latencies: list[float] = []
        self.failed = 0
        self._bodies = bodies
        self._head = (
            f"{target.method} {target.path} HTTP/1.1\r\nHost: 127.0.0.1:{target.port}\r\n"
            f"Authorization: {target.authorization}\r\nContent-Type: application/json\r\nContent-Length: "
        ).encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpResponseParser(self)

    def begin(self, until: float) -> None:
        self._until = until
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Record an answer and send the next request. The parser calls this method."""
        now = time.perf_counter()
        self.record(self._parser.get_status_code(), now - self._sent_at)
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def record(self, status: int, latency: float) -> None:
        self.latencies.append(latency)
        self.failed += status >= 300  # noqa: PLR2004 -- no success

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.done():
            self.failed += time.perf_counter() < self._until or exc is not None
            self.finished.set_result(None)

    def _send(self) -> None:
        body = next(self._bodies)
        self._sent_at = time.perf_counter()
        self._transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
