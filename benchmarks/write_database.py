"""The database of a measurement of writes: it prepares requests, and checks that every answered one is stored.

Before anything is timed, each server has to show its guarantees in a race.
"""

import asyncio
import http.client
import json
import math
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus

import asyncpg

from benchmarks import population
from benchmarks.contenders import Server, post
from benchmarks.datasets import STORE_ID, Dataset
from benchmarks.errors import BenchmarkError
from benchmarks.load import Outcome
from benchmarks.pgbench import SQL, Pgbench, write_script
from benchmarks.population import PHONE_DIGITS, PROFILE_ID_SQL

Contact = dict[str, str]


@dataclass(frozen=True, slots=True)
class Write:
    """A kind of write. `at_most`: requests per second to prepare, more than any server reaches.

    `counted`: the table that gets one more row for each request, if any.
    """

    contact: Callable[[int], Contact]
    at_most: int
    counted: str | None


def _create(i: int) -> Contact:
    return _merge(i) | {"firstName": "Ada"}


def _update(i: int) -> Contact:
    return {"phone": f"+{population.phone_digits(i)}", "firstName": f"Name{random.randrange(10**9)}"}  # noqa: S311


def _merge(i: int) -> Contact:
    return {"email": population.email(i), "phone": f"+{population.phone_digits(i)}"}


WRITES: Mapping[str, Write] = {
    "create": Write(_create, at_most=20_000, counted="profile"),
    "update": Write(_update, at_most=20_000, counted=None),
    "merge": Write(_merge, at_most=6_000, counted="alias"),
}

_SECOND_PROFILE = 50_000_000
"""Added to a person's number to get the ID of the profile that will be merged into theirs."""

_CONTESTED = 100  # people whose values the requests of a race contain
_RACE = 120  # requests: enough to merge people, too few to merge all of them
_QUIET = 4  # consecutive checks of the database that find no activity
_PATIENCE = 400  # checks
_RACERS = 16


@dataclass(frozen=True, slots=True)
class Batch:
    """Prepared requests. From `first` on, each connection of pgbench has its own block of people.

    `before`: the number of rows of the counted table before the batch.
    """

    first: int
    connections: int
    block: int
    bodies: list[bytes]
    before: int


class WriteDatabase:
    """The database that is written to, and the people in it."""

    def __init__(self, dataset: Dataset, seconds: float) -> None:
        self.dataset = dataset
        self._seconds = seconds
        self._next = dataset.population.people

    def batch(self, kind: str, connections: int) -> Batch:
        """Prepare requests about new people, or updates of stored people."""
        asyncio.run(_wait_until_idle(self.dataset.database_url))
        write, people = WRITES[kind], self.dataset.population.people
        block = math.ceil(1.5 * write.at_most * math.ceil(self._seconds) / connections)  # shares are not equal
        if kind == "update":
            first, numbers = 0, random.choices(range(people), k=connections * block)  # noqa: S311 -- only load
        else:
            first = self._reserve(connections * block)
            numbers = list(range(first, self._next))
        if kind == "merge":
            asyncio.run(_make_pairs(self.dataset.database_url, first, self._next))
        bodies = [_body(write.contact(i)) for i in numbers]
        return Batch(first, connections, block, bodies, self._count(write))

    def write(self, contender: Server | Pgbench, kind: str, batch: Batch) -> Outcome:
        if isinstance(contender, Server):
            return contender.write(batch.bodies, batch.connections, self._seconds)
        variables = {
            "n": -1, "first": batch.first, "block": batch.block, "people": self.dataset.population.people,
        }  # fmt: skip
        return contender.run(write_script(kind), variables, batch.connections, self._seconds)

    def check(self, contender: Server | Pgbench, kind: str, batch: Batch, outcome: Outcome) -> None:
        """Check that every answered write is stored. Raises `BenchmarkError` if not."""
        if kind != "update" and outcome.requests > len(batch.bodies):
            raise BenchmarkError(f"{contender.name} did more than the {len(batch.bodies)} writes that were prepared")
        if WRITES[kind].counted is not None:
            written = self._count(WRITES[kind]) - batch.before
            if not outcome.requests <= written <= outcome.requests + batch.connections:  # some were not answered
                raise BenchmarkError(f"{contender.name} answered {outcome.requests} of {kind} and did {written}")

    def race(self, server: Server) -> None:
        """Send concurrent requests about few people. Raises `BenchmarkError` unless each person ends as one profile."""
        first = self._reserve(_CONTESTED)
        contested = range(first, first + _CONTESTED)
        requests = [
            {
                "email": population.email(random.choice(contested)),  # noqa: S311
                "phone": f"+{population.phone_digits(random.choice(contested))}",  # noqa: S311
            }
            for _ in range(_RACE)
        ]
        with ThreadPoolExecutor(_RACERS) as racers:
            answers = list(racers.map(lambda contact: _is_accepted(server, contact), requests))
        values = sorted({value for contact in requests for value in contact.values()})
        holders = asyncio.run(_holders(self.dataset.database_url, values))
        if not all(answers) or _groups(holders) != _groups(_components(requests)):
            raise BenchmarkError(f"{server.name} does not merge in a race what is one person")

    def _reserve(self, count: int) -> int:
        first, self._next = self._next, self._next + count
        return first

    def _count(self, write: Write) -> int:
        return 0 if write.counted is None else asyncio.run(_count(self.dataset.database_url, write.counted))


def _body(contact: Contact) -> bytes:
    return json.dumps({"traits": {"Contact": contact}}).encode()


def _is_accepted(server: Server, contact: Contact) -> bool:
    """Send a request, and return whether it was accepted."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        status, _ = post(connection, server.write_target(), _body(contact))
        return status == HTTPStatus.ACCEPTED


def _components(requests: list[Contact]) -> dict[str, object]:
    """Map each value to its person. All types are unique, so requests that share a value name one person."""
    leader = {value: value for contact in requests for value in contact.values()}

    def lead(value: str) -> str:
        while leader[value] != value:
            value = leader[value]
        return value

    for contact in requests:
        leader[lead(contact["email"])] = lead(contact["phone"])
    return {value: lead(value) for value in leader}


def _groups(group_of_value: Mapping[str, object]) -> set[frozenset[str]]:
    groups: dict[object, set[str]] = {}
    for value, group in group_of_value.items():
        groups.setdefault(group, set()).add(value)
    return {frozenset(group) for group in groups.values()}


async def _holders(url: str, values: list[str]) -> dict[str, object]:
    connection = await asyncpg.connect(url)
    try:
        query = "select value, profile_id from identifier where store_id = $1 and value = any ($2)"
        return {row["value"]: row["profile_id"] for row in await connection.fetch(query, STORE_ID, values)}
    finally:
        await connection.close()


async def _wait_until_idle(url: str) -> None:
    """Wait until the writes that were still running at the end have ended. Raises `BenchmarkError` if they do not."""
    active_sessions = """
        select count(*) from pg_stat_activity
        where backend_type = 'client backend' and state <> 'idle' and pid <> pg_backend_pid()
    """
    connection = await asyncpg.connect(url)
    try:
        quiet = 0
        for _ in range(_PATIENCE):
            quiet = 0 if await connection.fetchval(active_sessions) else quiet + 1
            if quiet == _QUIET:
                return
            await asyncio.sleep(0.05)
        raise BenchmarkError("writes went on after their load had ended")
    finally:
        await connection.close()


async def _count(url: str, table: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(f"select count(*) from {table}"))
    finally:
        await connection.close()


async def _make_pairs(url: str, first: int, end: int) -> None:
    """Create two profiles for each number, one with the phone number and one with the e-mail address."""
    connection = await asyncpg.connect(url)
    is_earlier = await connection.fetchval("select to_regclass('trait') is not null")
    insert = (SQL / ("pairs_before_0039.sql" if is_earlier else "pairs.sql")).read_text()
    for id_type, value, profile_id in (
        ("phone", f"'+' || {PHONE_DIGITS.format(i='i')}", PROFILE_ID_SQL.format(i="i")),
        ("email", "'person.' || i || '@example.com'", PROFILE_ID_SQL.format(i=f"i + {_SECOND_PROFILE}")),
    ):
        persons = f"generate_series({first}::bigint, {end - 1}) as person (i)"
        parts = {"id_type": id_type, "value": value, "profile_id": profile_id, "persons": persons}
        await connection.execute(insert.format(store_id=STORE_ID, **parts))
    await connection.close()
