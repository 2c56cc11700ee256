"""Measures the service under more load than it can carry: lookups, creates and a list, each on its own.

First the number of connections with the highest throughput is found. Then rounds of it alternate with rounds of four
times as many, so that a disturbance affects both. The clients send their next request as soon as they have an answer,
also if it is a refusal, and do not heed `Retry-After`.
"""

import asyncio
import http.client
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import uvloop

from benchmarks.contenders import PRODUCT, Server, authorization, serving
from benchmarks.datasets import embedded_postgres, ensure_dataset
from benchmarks.errors import BenchmarkError
from benchmarks.load import GRACE, Client, Load, Target
from benchmarks.progress import say
from benchmarks.workload import Workload
from benchmarks.write_database import WriteDatabase

KINDS = ("lookups", "creates", "list")
TIMES = 4
CONNECTIONS = (8, 16, 32, 64, 128)
_HEALTH_PAUSE = 0.02  # seconds between two health checks
_LEAST_CPU_SECONDS = 0.01  # that are told apart

Bodies = Callable[[int], Sequence[bytes]]
"""Returns the bodies for a measurement with this number of connections."""


@dataclass(frozen=True, slots=True)
class OverloadOptions:
    size: str
    kinds: tuple[str, ...]
    connections: tuple[int, ...]
    times: int
    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Offered:
    """What was answered under a load.

    `goodput` is per second, `per_cpu_second` per second of the server's CPU time. Latencies are in milliseconds, and
    `health` is the median of the health checks.
    """

    connections: int
    goodput: float
    per_cpu_second: float
    p99: float
    refused: float
    failed: int
    health: float


class _RetryingClient(Client):
    """Counts refusals apart from failures, and measures only what was accepted."""

    refused = 0

    def record(self, status: int, latency: float) -> None:
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.refused += 1
        else:
            super().record(status, latency)


def measure_overload(options: OverloadOptions, data: Path) -> Iterator[str]:
    """Yield the lines of the table as they are measured."""
    with ExitStack() as stack:
        postgres = stack.enter_context(embedded_postgres(data))
        processes = stack.enter_context(ProcessPoolExecutor(1))
        dataset = ensure_dataset(postgres, options.size, purpose="writes")
        server = stack.enter_context(serving(PRODUCT, dataset, 1, Load("own")))
        database = WriteDatabase(dataset, options.seconds)
        profiles = f"{dataset.store_path}/Profiles"
        lookup_bodies = Workload(dataset.population, "phones", "uniform").bodies
        offers: dict[str, tuple[Target, Bodies]] = {
            "lookups": (Target(server.port, f"{profiles}/Lookup", authorization()), lambda _: lookup_bodies),
            "creates": (server.write_target(), lambda connections: database.batch("create", connections).bodies),
            "list": (Target(server.port, f"{profiles}?pageSize=50", authorization(), "GET"), lambda _: [b""]),
        }
        yield from _HEADER
        for kind in options.kinds:
            target, bodies = offers[kind]

            def offer(connections: int, kind: str = kind, target: Target = target, bodies: Bodies = bodies) -> Offered:
                say(f"{kind}: {connections} connections")
                return _offer(processes, server, target, bodies(connections), connections, options.seconds)

            idle = statistics.median(processes.submit(_health_checks, target.port, options.seconds).result())
            offer(options.connections[0])  # warm-up
            best = max(map(offer, options.connections), key=lambda each: each.goodput).connections
            rounds = [(offer(best), offer(options.times * best)) for _ in range(options.rounds)]
            yield _line(kind, [(usual, usual) for usual, _ in rounds], idle)
            yield _line(f"{kind}, {options.times} times", rounds, idle)


_COLUMNS = (
    "load", "connections", "goodput/s", "of the best", "per CPU-s, of the best", "p99, ms", "times the best",
    "refused/s", "/healthz p50, ms", "times idle",
)  # fmt: skip
_HEADER = (f"| {' | '.join(_COLUMNS)} |", f"|{' --- |' * len(_COLUMNS)}")


def _line(name: str, rounds: Sequence[tuple[Offered, Offered]], idle: float) -> str:
    """Return the medians of the second of each round, and of its ratios to the first, with their least and greatest."""

    def median(value: Callable[[Offered], float]) -> float:
        return statistics.median(value(offered) for _, offered in rounds)

    def ratio(value: Callable[[Offered], float]) -> str:
        ratios = [value(offered) / value(usual) for usual, offered in rounds]
        return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"

    cells = (
        name, rounds[0][1].connections, f"{median(lambda each: each.goodput):.0f}", ratio(lambda each: each.goodput),
        ratio(lambda each: each.per_cpu_second), f"{median(lambda each: each.p99):.1f}", ratio(lambda each: each.p99),
        f"{median(lambda each: each.refused):.0f}", f"{median(lambda each: each.health):.1f}",
        f"{median(lambda each: each.health) / idle:.1f}",
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def _offer(
    processes: ProcessPoolExecutor,
    server: Server,
    target: Target,
    bodies: Sequence[bytes],
    connections: int,
    seconds: float,
) -> Offered:
    used_before = server.cpu_seconds() or 0.0
    health_checks = processes.submit(_health_checks, target.port, seconds)
    clients = uvloop.run(_run_clients(target, bodies, connections, seconds))
    health = health_checks.result()
    used = (server.cpu_seconds() or 0.0) - used_before
    accepted = [latency * 1e3 for client in clients for latency in client.latencies]
    failed = sum(client.failed for client in clients)
    if failed or len(accepted) < 2:  # noqa: PLR2004 -- quantiles need two values
        raise BenchmarkError(f"{failed} requests failed, and {len(accepted)} were accepted")
    return Offered(
        connections,
        goodput=len(accepted) / seconds,
        per_cpu_second=len(accepted) / max(used, _LEAST_CPU_SECONDS),
        p99=statistics.quantiles(accepted, n=100, method="inclusive")[98],
        refused=sum(client.refused for client in clients) / seconds,
        failed=failed,
        health=statistics.median(health),
    )


async def _run_clients(
    target: Target, bodies: Sequence[bytes], connections: int, seconds: float
) -> list[_RetryingClient]:
    loop = asyncio.get_running_loop()
    next_bodies = itertools.cycle(bodies)
    clients = [_RetryingClient(target, next_bodies, loop.create_future()) for _ in range(connections)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", target.port)  # type: ignore[misc]
    until = time.perf_counter() + seconds
    for client in clients:
        client.begin(until)
    async with asyncio.timeout(seconds + GRACE):
        await asyncio.gather(*(client.finished for client in clients))
    return clients


def _health_checks(port: int, seconds: float) -> list[float]:
    """Return the latencies of health checks over one connection, in milliseconds. It runs in a process of its own."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=GRACE)) as connection:
        while time.perf_counter() < until or not latencies:
            sent_at = time.perf_counter()
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            answer.read()
            if answer.status != HTTPStatus.OK:
                raise BenchmarkError(f"/healthz answered {answer.status}")
            latencies.append((time.perf_counter() - sent_at) * 1e3)
            time.sleep(_HEALTH_PAUSE)
    return latencies
