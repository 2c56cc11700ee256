"""Many strangers at once: who is admitted, or waits with few others, is served."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress

import asyncpg
import pytest

from profile_lookup.serving.processes import MAX_ADMISSIONS
from profile_lookup.settings import Settings
from tests.conftest import PATIENCE
from tests.serving.raw_http import UNKNOWN_STORE, WRONG_CREDENTIALS, answer_on, connected, is_ended, request

MAX_CONNECTIONS = 20
HEALTH = request("GET", "/healthz")
STRANGERS = 3 * MAX_ADMISSIONS

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_connections": MAX_CONNECTIONS, "failed_credentials_per_second": 0.0})


def test_strangers_connections_end_for_new_ones_and_those_of_admitted_callers_stay(
    service_url: str, synchronous_account: tuple[str, str]
) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(service_url)) for _ in range(MAX_CONNECTIONS)]
        admitted = connections[0]
        admitted.sendall(request("GET", "/v1/ControlPlane/Stores", credentials=synchronous_account))
        assert answer_on(admitted).status == 200
        new = [stack.enter_context(connected(service_url)) for _ in range(5)]
        for connection in new:
            connection.sendall(HEALTH)
            assert answer_on(connection).status == 200
        assert all(is_ended(connection) for connection in connections[1:6])
        for connection in (admitted, *connections[6:]):
            connection.sendall(HEALTH)
            assert answer_on(connection).status == 200


@asynccontextmanager
async def _admissions_held_up(database_url: str) -> AsyncIterator[None]:
    """Lock the table of credentials while the block runs."""
    connection = await asyncpg.connect(database_url)
    async with connection.transaction():
        await connection.execute("lock table credential in access exclusive mode")
        yield
    await connection.close()


class TestTurns:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"max_connections": 10 * STRANGERS, "failed_credentials_per_second": 0.0})

    @pytest.fixture
    async def stack(self) -> AsyncIterator[AsyncExitStack]:
        async with AsyncExitStack() as opened:
            yield opened

    @pytest.mark.parametrize("was_admitted", [False, True])
    async def test_an_address_with_many_requests_does_not_hold_up_another_one(
        self,
        settings: Settings,
        service_url: str,
        synchronous_account: tuple[str, str],
        stack: AsyncExitStack,
        was_admitted: bool,
    ) -> None:
        """All come through one trusted proxy, perhaps on connections on which it has sent admitted requests before."""
        addresses = ["198.51.100.1"] * STRANGERS + ["198.51.100.2"]
        connections = []
        for _ in addresses:
            connection = await stack.enter_async_context(_connected(service_url))
            connections.append(connection)
            if was_admitted:
                head = request("GET", "/v1/ControlPlane/Stores", credentials=synchronous_account)
                assert await _status_on(connection, head) == 200
        answered: list[tuple[str, int]] = []

        async def call(connection: _Connection, address: str) -> None:
            head = request(
                "GET", f"{UNKNOWN_STORE}/Profiles", f"X-Forwarded-For: {address}", credentials=WRONG_CREDENTIALS
            )
            answered.append((address, await _status_on(connection, head)))

        assert settings.database_url is not None
        held_up = _admissions_held_up(settings.database_url.get_secret_value())
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group, held_up:
            for connection, address in zip(connections, addresses, strict=True):
                group.create_task(call(connection, address))
            await asyncio.sleep(0.5)  # if some come later than the other one, that is no harm
            assert await _status_of(service_url, HEALTH) == 200
        assert [status for _, status in answered] == [401] * len(addresses)
        assert answered.index((addresses[-1], 401)) < STRANGERS / 2 + MAX_ADMISSIONS

    async def test_a_stranger_who_leaves_does_not_keep_a_turn(
        self, settings: Settings, service_url: str, synchronous_account: tuple[str, str]
    ) -> None:
        head = request("GET", f"{UNKNOWN_STORE}/Profiles", credentials=WRONG_CREDENTIALS)
        assert settings.database_url is not None
        async with _admissions_held_up(settings.database_url.get_secret_value()):
            for _ in range(STRANGERS):
                async with _connected(service_url) as (_, writer):
                    writer.write(head)
                    await writer.drain()
        head = request("GET", "/v1/ControlPlane/Stores", credentials=synchronous_account)
        assert await _status_of(service_url, head) == 200

    @pytest.mark.slow
    async def test_a_stranger_who_waits_too_long_is_refused(self, settings: Settings, service_url: str) -> None:
        head = request("GET", f"{UNKNOWN_STORE}/Profiles", credentials=WRONG_CREDENTIALS)
        assert settings.database_url is not None
        async with asyncio.timeout(PATIENCE), _admissions_held_up(settings.database_url.get_secret_value()):
            statuses = await asyncio.gather(*(_status_of(service_url, head) for _ in range(STRANGERS)))
        assert set(statuses) == {503}


@asynccontextmanager
async def _connected(base_url: str) -> AsyncIterator[_Connection]:
    host, _, port = base_url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    yield reader, writer
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _status_of(base_url: str, head: bytes) -> int:
    """Send a request on a connection of its own, and return the status of its answer."""
    async with _connected(base_url) as connection:
        return await _status_on(connection, head)


async def _status_on(connection: _Connection, head: bytes) -> int:
    """Send a request on a connection, and return the status of its answer."""
    reader, writer = connection
    writer.write(head)
    answer_head = await reader.readuntil(b"\r\n\r\n")
    (length,) = re.findall(rb"content-length: (\d+)", answer_head)
    await reader.readexactly(int(length))
    return int(answer_head.split()[1])
