"""A service that is asked for more than it can do refuses at once, and answers all that it accepted."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.conftest import PATIENCE
from tests.program.conftest import Service, service_of, serving
from tests.program.forked import ForkedCommand
from tests.serving.raw_http import request

POOL_SIZE = 2
ACCEPTED = 16  # requests of a pool of this size, before a rate was measured
REFUSED = 25
BATCHES = 16
PROFILE = {"traits": {"Contact": {"phone": "+13175551234"}}}


@dataclass
class SmallService:
    """A service with few connections to its database, and a client with any number of connections to it."""

    process: ForkedCommand
    running: Service
    client: httpx.AsyncClient

    @property
    def profiles(self) -> str:
        return self.running.profiles

    async def list(self) -> httpx.Response:
        return await self.client.get(self.profiles)

    async def look_up(self) -> httpx.Response:
        return await self.client.post(f"{self.profiles}/Lookup", json={"idType": "phone", "value": "+13175556789"})

    async def put_batch(self) -> httpx.Response:
        return await self.client.put(f"{self.profiles}/Bulk", json={"profiles": [PROFILE]})


@pytest.fixture
async def small(database_url: str, tmp_path: Path) -> AsyncIterator[SmallService]:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path, "POOL_SIZE": POOL_SIZE, "RUN_OPERATIONS": False}
    with serving("--demo", **settings) as (process, printed):
        running = service_of(process, printed, settings)
        async with running.async_client(limits=httpx.Limits(max_connections=None)) as client:
            yield SmallService(process, running, client)


@dataclass
class Lists:
    """Lists that wait for a lock, and the answers to those that were refused meanwhile."""

    waiting: set["asyncio.Task[httpx.Response]"]
    refused: list[httpx.Response]

    async def statuses(self) -> list[int]:
        return [each.status_code for each in await asyncio.gather(*self.waiting)]


@asynccontextmanager
async def more_lists_than_are_accepted(
    small: SmallService, connection: "asyncpg.Connection[Any]"
) -> AsyncIterator[Lists]:
    """Lock the table that lists read until the block ends, and send more lists than may be under way."""
    async with connection.transaction():
        await connection.execute("lock table profile in access exclusive mode")
        waiting = {asyncio.create_task(small.list()) for _ in range(ACCEPTED + REFUSED)}
        refused: list[httpx.Response] = []
        while len(refused) < REFUSED:
            done, waiting = await asyncio.wait(waiting, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            assert done
            refused += [each.result() for each in done]
        yield Lists(waiting, refused)


async def answers_until(status: int, send: Callable[[], Awaitable[httpx.Response]]) -> list[int]:
    """Send a request again and again until it is answered with a status; return the statuses of all answers."""
    statuses: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while status not in statuses:
            statuses.append((await send()).status_code)
    return statuses


async def test_what_would_wait_too_long_is_refused_at_once_and_the_rest_is_answered(
    small: SmallService, connection: "asyncpg.Connection[Any]"
) -> None:
    async with more_lists_than_are_accepted(small, connection) as lists:
        assert {(each.status_code, each.headers["Retry-After"], each.json()["code"]) for each in lists.refused} == {
            (503, "1", 20503)
        }
        assert (await small.client.get("/healthz")).status_code == 200
        assert (await small.client.get("/readyz")).status_code == 200
        assert (await small.look_up()).status_code == 200
        assert not any(each.done() for each in lists.waiting)
    assert await lists.statuses() == [200] * ACCEPTED


@pytest.mark.slow
async def test_refusals_are_logged_in_one_line_a_second_with_their_number(
    small: SmallService, connection: "asyncpg.Connection[Any]"
) -> None:
    async with more_lists_than_are_accepted(small, connection) as lists:
        pass
    await lists.statuses()
    await asyncio.sleep(1.5)  # the number of a second is logged at its end
    small.process.terminate()
    _, errors = small.process.communicate(timeout=PATIENCE)
    counts = [json.loads(line)["refused"] for line in errors.splitlines() if "overloaded" in line]
    assert sum(counts) == REFUSED
    assert len(counts) < REFUSED
    assert "Traceback" not in errors


@pytest.mark.slow
async def test_a_refused_client_that_asks_again_at_once_is_served_when_the_load_is_gone(
    small: SmallService, connection: "asyncpg.Connection[Any]"
) -> None:
    async with small.running.async_client(limits=httpx.Limits(max_connections=1)) as client:
        async with more_lists_than_are_accepted(small, connection) as lists:
            assert [(await client.get(small.profiles)).status_code for _ in range(3)] == [503] * 3
        await lists.statuses()
        await answers_until(200, lambda: client.get(small.profiles))


async def test_slow_batches_occupy_nothing_that_others_need(small: SmallService) -> None:
    head = request(
        "PUT", f"{small.profiles}/Bulk", "Content-Type: application/json", "Content-Length: 100000",
        credentials=small.running.credentials,
    )  # fmt: skip
    host, port = small.running.base_url.removeprefix("http://").split(":")
    connections = [await asyncio.open_connection(host, int(port)) for _ in range(BATCHES)]
    for _, writer in connections:
        writer.write(head + b"{")
    assert set(await answers_until(503, small.put_batch)) <= {202, 503}
    assert (await small.list()).status_code == 200
    assert (await small.look_up()).status_code == 200
    assert (await small.client.post(small.profiles, json=PROFILE)).status_code == 202
    for _, writer in connections:
        writer.close()
    assert set(await answers_until(202, small.put_batch)) <= {202, 503}
