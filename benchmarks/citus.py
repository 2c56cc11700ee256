"""Measures the service on Citus against the service on plain PostgreSQL, round by round in one run.

All databases are on the servers of `TEST_CITUS_URL`: the plain ones are on the first worker, without the extension, so
that all have the same settings. A second service on Citus shows how much the same differs from itself. The service of
another commit may take part, on a plain database of its own.
"""

import argparse
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
from pathlib import Path
from urllib.parse import urlsplit

from tests.citus.distributed import CITUS_URL, distributed_copy, distributed_template
from tests.databases import execute

from benchmarks import population
from benchmarks.arguments import count
from benchmarks.checkouts import Product, migrate, product_here, product_of
from benchmarks.comparison import AGAIN, HERE, Comparison
from benchmarks.contenders import authorization, post, serving_product
from benchmarks.datasets import ACCOUNT_SID, AUTH_TOKEN, Dataset
from benchmarks.errors import BenchmarkError
from benchmarks.load import Load, Target
from benchmarks.population import Population
from benchmarks.progress import say
from profile_lookup.settings import PREFIX

PLAIN = "plain"
"""The service on plain PostgreSQL."""

_AUTHORIZATION = authorization(AUTH_TOKEN, ACCOUNT_SID)
_ACCOUNT = {f"{PREFIX}BOOTSTRAP_ACCOUNT_SID": ACCOUNT_SID, f"{PREFIX}BOOTSTRAP_AUTH_TOKEN": AUTH_TOKEN}
_STORES_PATH = "/v1/ControlPlane/Stores"
_AT_MOST = 4_000  # creates per second that are prepared, of people whom no store has yet
_PATIENCE = 60  # seconds


@dataclass(frozen=True, slots=True)
class CitusOptions:
    """`people`: profiles of each store before anything is measured. `against`: another commit, if it takes part."""

    stores: int
    people: int
    connections: int
    rounds: int
    seconds: float
    against: str | None


def add_citus_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stores", type=count, default=8, help="(default: %(default)s)")
    parser.add_argument("--people", type=count, default=500, help="profiles of each store (default: %(default)s)")
    parser.add_argument("--connections", type=count, default=32, help="of all stores together (default: %(default)s)")
    parser.add_argument(
        "--against", metavar="REVISION", help="also measure the service of that commit on plain PostgreSQL"
    )


@dataclass(frozen=True, slots=True)
class _Service:
    name: str
    port: int
    stores: Sequence[str]

    def target(self, store: str, operation: str = "") -> Target:
        return Target(self.port, f"/v1/Stores/{store}/Profiles{operation}", _AUTHORIZATION)


def measure_citus(options: CitusOptions, load: Load, data: Path, comparison: Comparison) -> None:
    """Measure lookups over several stores and over one, and creates. Each figure is added at once."""
    if CITUS_URL not in os.environ:
        raise BenchmarkError(f"set {CITUS_URL} to the URL of a database on a coordinator of Citus that has workers")
    on_plain = [product_here(PLAIN)]
    if options.against is not None:
        on_plain.append(product_of(options.against, data / "commits"))
    comparison.others = [product.name for product in on_plain]
    with ExitStack() as stack:
        services = list(_start_all(stack, on_plain, options, load))
        for service in services:
            _check(service)
        newcomers = itertools.count(options.people)
        for round_ in range(-1, options.rounds):  # the first one is the warm-up
            say(f"Round {round_ + 1} of {options.rounds}")
            turn = round_ % len(services)
            for service in (*services[turn:], *services[:turn]):
                for what, targets, bodies in _parts(service, options, newcomers):
                    say(f"{service.name}: {what}")
                    rate = _rate(load, targets, bodies, options)
                    comparison.add(f"{what}: req/s", service.name, round_, rate if round_ >= 0 else None)


def _start_all(stack: ExitStack, on_plain: Sequence[Product], options: CitusOptions, load: Load) -> Iterator[_Service]:
    coordinator, worker = stack.enter_context(_distributed_database())
    here = _start(stack, product_here(HERE), coordinator, options, load)
    yield here
    for product in on_plain:
        yield _start(stack, product, stack.enter_context(_plain_database(worker, product)), options, load)
    yield replace(here, name=AGAIN, port=_serve(stack, product_here(AGAIN), coordinator, load))


def _check(service: _Service) -> None:
    """Raises `BenchmarkError` if the service does not find the first person of each store."""
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=_PATIENCE)) as connection:
        for store in service.stores:
            status, answer = post(connection, service.target(store, "/Lookup"), _lookup(0))
            if status != HTTPStatus.OK or len(json.loads(answer)["profiles"]) != 1:
                raise BenchmarkError(f"a lookup did not find its one profile: {service.name} answered {status}")


def _parts(
    service: _Service, options: CitusOptions, newcomers: Iterator[int]
) -> Iterator[tuple[str, list[Target], list[bytes]]]:
    """Yield what is measured, with the stores that get the requests."""
    lookups = [_lookup(i) for i in range(options.people)]
    for stores in (service.stores, service.stores[:1]):
        yield f"lookups, {len(stores)} stores", [service.target(each, "/Lookup") for each in stores], lookups
    creates = [_create(i) for i in itertools.islice(newcomers, int(_AT_MOST * (options.seconds + 1)))]
    yield f"creates, {options.stores} stores", [service.target(each) for each in service.stores], creates


@contextmanager
def _distributed_database() -> Iterator[tuple[str, str]]:
    """Yield the URLs of a distributed database: on the coordinator, and on the first worker."""
    with distributed_template() as template, distributed_copy(template) as (coordinator, worker, *_):
        yield coordinator, worker


@contextmanager
def _plain_database(server: str, product: Product) -> Iterator[str]:
    """Yield the URL of a database on this server that has the product's schema and is not distributed."""
    name = f"benchmark_{product.name}"
    asyncio.run(execute(server, f"drop database if exists {name} with (force)"))
    asyncio.run(execute(server, f"create database {name} template template0"))
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    migrate(product, url)
    yield url
    asyncio.run(execute(server, f"drop database {name} with (force)"))


def _start(stack: ExitStack, product: Product, url: str, options: CitusOptions, load: Load) -> _Service:
    """Start a service, and let it create the stores and their people."""
    port = _serve(stack, product, url, load)
    service = _Service(product.name, port, [_make_store(port, number) for number in range(options.stores)])
    _fill(service, options)
    return service


def _serve(stack: ExitStack, product: Product, url: str, load: Load) -> int:
    dataset = Dataset("0", Population(0), product.name, url)
    return stack.enter_context(serving_product(product, dataset, 1, load, _ACCOUNT)).port


def _make_store(port: int, number: int) -> str:
    """Create a store, and return its ID once it is there."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)) as connection:
        body = json.dumps({"displayName": f"benchmark-{number}"}).encode()
        _, accepted = post(connection, Target(port, _STORES_PATH, _AUTHORIZATION), body)
        path = urlsplit(json.loads(accepted)["statusUrl"]).path
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            connection.request("GET", path, headers={"Authorization": _AUTHORIZATION})
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


def _lookup(i: int) -> bytes:
    return json.dumps({"idType": "email", "value": population.email(i)}).encode()


def _create(i: int) -> bytes:
    contact = {"email": population.email(i), "phone": f"+{population.phone_digits(i)}", "firstName": "Ada"}
    return json.dumps({"traits": {"Contact": contact}}).encode()


def _rate(load: Load, targets: Sequence[Target], bodies: Sequence[bytes], options: CitusOptions) -> float:
    """Return the answers per second. All targets get the same share of the connections."""
    each = max(1, options.connections // len(targets))
    with ThreadPoolExecutor(len(targets)) as generators:
        outcomes = list(generators.map(lambda target: load.run(target, bodies, each, options.seconds, 0), targets))
    failed = sum(outcome.failed for outcome in outcomes)
    answered = sum(outcome.requests for outcome in outcomes)
    if failed or not answered:
        raise BenchmarkError(f"{failed} of {answered} requests failed")
    return sum(outcome.requests / outcome.seconds for outcome in outcomes)
