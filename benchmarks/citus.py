"""Measures the service on Citus against the service on plain PostgreSQL, round by round in one run.

Both databases are on the servers of `TEST_CITUS_URL`: the plain one is on the first worker, without the extension, so
that both have the same settings. A second service on Citus shows how much the same differs from itself.
"""

import asyncio
import http.client
import itertools
import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urlsplit

from tests.citus.distributed import CITUS_URL, distributed_copy, distributed_template
from tests.databases import execute

from benchmarks import population
from benchmarks.checkouts import product_here
from benchmarks.comparison import AGAIN, HERE, Comparison
from benchmarks.contenders import authorization, post, serving_product
from benchmarks.datasets import API_KEY, API_SECRET, Dataset
from benchmarks.errors import BenchmarkError
from benchmarks.load import Load, Target
from benchmarks.population import Population
from benchmarks.progress import say
from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.accounts.queries import ensure_account
from profile_lookup.database.migrations import migrate
from profile_lookup.database.pool import Database

PLAIN = "plain"
"""The service on plain PostgreSQL."""

_PLAIN_DATABASE = "benchmark_plain"
_STORES_PATH = "/v1/ControlPlane/Stores"
_AT_MOST = 4_000  # creates per second that are prepared, of people whom no store has yet
_PATIENCE = 60  # seconds


@dataclass(frozen=True, slots=True)
class CitusOptions:
    """`people`: profiles of each store before anything is measured."""

    stores: int
    people: int
    connections: int
    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Service:
    name: str
    port: int
    stores: Sequence[str]

    def target(self, store: str, operation: str = "") -> Target:
        return Target(self.port, f"/v1/Stores/{store}/Profiles{operation}", authorization())


def measure_citus(options: CitusOptions, load: Load, comparison: Comparison) -> None:
    """Measure lookups over several stores and over one, and creates. Each figure is added at once."""
    if CITUS_URL not in os.environ:
        raise BenchmarkError(f"set {CITUS_URL} to the URL of a database on a coordinator of Citus that has workers")
    comparison.other = PLAIN
    with ExitStack() as stack:
        services = _start_all(stack, options, load)
        newcomers = itertools.count(options.people)
        for round_ in range(-1, options.rounds):  # the first one is the warm-up
            say(f"Round {round_ + 1} of {options.rounds}")
            turn = round_ % len(services)
            for service in (*services[turn:], *services[:turn]):
                for what, targets, bodies in _parts(service, options, newcomers):
                    rate = _rate(load, targets, bodies, options)
                    comparison.add(f"{what}: req/s", service.name, round_, rate if round_ >= 0 else None)


def _start_all(stack: ExitStack, options: CitusOptions, load: Load) -> list[_Service]:
    urls = stack.enter_context(_databases())
    here, plain = (_start(stack, name, urls[name], load, options.stores) for name in (HERE, PLAIN))
    _fill(here, options)
    _fill(plain, options)
    return [here, plain, replace(_start(stack, AGAIN, urls[HERE], load, 0), stores=here.stores)]


def _parts(
    service: _Service, options: CitusOptions, newcomers: Iterator[int]
) -> Iterator[tuple[str, list[Target], list[bytes]]]:
    """Yield what is measured, with the stores that get the requests."""
    lookups = [json.dumps({"idType": "email", "value": population.email(i)}).encode() for i in range(options.people)]
    for stores in (service.stores, service.stores[:1]):
        yield f"lookups, {len(stores)} stores", [service.target(each, "/Lookup") for each in stores], lookups
    creates = [_create(i) for i in itertools.islice(newcomers, int(_AT_MOST * (options.seconds + 1)))]
    yield f"creates, {options.stores} stores", [service.target(each) for each in service.stores], creates


@contextmanager
def _databases() -> Iterator[dict[str, str]]:
    """Yield the URLs of the databases, by the names of their services."""
    with distributed_template() as template, distributed_copy(template) as (coordinator, worker, *_):
        asyncio.run(execute(worker, f"drop database if exists {_PLAIN_DATABASE} with (force)"))
        asyncio.run(execute(worker, f"create database {_PLAIN_DATABASE} template template0"))
        plain = urlsplit(worker)._replace(path=f"/{_PLAIN_DATABASE}").geturl()
        migrate(plain)
        yield {HERE: coordinator, PLAIN: plain}
        asyncio.run(execute(worker, f"drop database {_PLAIN_DATABASE} with (force)"))


def _start(stack: ExitStack, name: str, url: str, load: Load, stores: int) -> _Service:
    asyncio.run(_make_account(url))
    dataset = Dataset("0", Population(0), name, url)
    port = stack.enter_context(serving_product(product_here(name), dataset, 1, load)).port
    return _Service(name, port, [_make_store(port, number) for number in range(stores)])


async def _make_account(url: str) -> None:
    database = Database(url, pool_size=1)
    async with database.transaction() as connection:
        await ensure_account(connection, "benchmark", Credentials(API_KEY, digest(API_SECRET)))
    await database.close()


def _make_store(port: int, number: int) -> str:
    """Create a store, and return its ID once it is there."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)) as connection:
        body = json.dumps({"displayName": f"benchmark-{number}"}).encode()
        _, accepted = post(connection, Target(port, _STORES_PATH, authorization()), body)
        path = urlsplit(json.loads(accepted)["statusUrl"]).path
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            connection.request("GET", path, headers={"Authorization": authorization()})
            operation = json.loads(connection.getresponse().read())
            if operation["status"] == "COMPLETED":
                store_id: str = operation["result"]["id"]
                return store_id
            time.sleep(0.02)
    raise BenchmarkError("the service does not create stores")


def _fill(service: _Service, options: CitusOptions) -> None:
    """Create the people of each store, which are the same in all."""
    say(f"Creating {options.people} profiles in each of {options.stores} stores: {service.name}")

    def create(store: str) -> None:
        target = service.target(store)
        with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=_PATIENCE)) as connection:
            for i in range(options.people):
                status, _ = post(connection, target, _create(i))
                if status != HTTPStatus.ACCEPTED:
                    raise BenchmarkError(f"{service.name} answers a create with {status}")

    with ThreadPoolExecutor(len(service.stores)) as clients:
        list(clients.map(create, service.stores))


def _create(i: int) -> bytes:
    contact = {"email": population.email(i), "phone": f"+{population.phone_digits(i)}", "firstName": "Ada"}
    return json.dumps({"traits": {"Contact": contact}}).encode()


def _rate(load: Load, targets: Sequence[Target], bodies: Sequence[bytes], options: CitusOptions) -> float:
    """Return the answers per second. All targets get the same share of the connections."""
    each = max(1, options.connections // len(targets))
    with ThreadPoolExecutor(len(targets)) as generators:
        outcomes = list(generators.map(lambda target: load.run(target, bodies, each, options.seconds, 0), targets))
    if any(outcome.failed or not outcome.requests for outcome in outcomes):
        raise BenchmarkError("requests failed")
    return sum(outcome.requests / outcome.seconds for outcome in outcomes)
