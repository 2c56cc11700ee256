"""SIGTERM: first load balancers notice, then the service stops, and no client loses a request."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import PATIENCE, make_profile, make_store
from tests.history.feeds import read_page
from tests.program.conftest import Service, base_url_in, client_of, service_of, serving
from tests.program.suspended import processes_that_serve, suspended
from tests.serving.raw_http import answer_on, connected, request

HEALTH = request("GET", "/healthz")
READINESS = request("GET", "/readyz")
CLIENTS = 8
WAITING = 100  # connections


def _status(base_url: str, head: bytes) -> int:
    with connected(base_url) as connection:
        connection.sendall(head)
        return answer_on(connection).status


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_readiness_goes_first_and_all_are_served_meanwhile(database_url: str, tmp_path: Path, workers: int) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path, "WORKERS": workers, "STOP_DELAY_SECONDS": 2}
    with serving(**settings) as (process, printed):
        base_url = base_url_in(printed)
        assert _status(base_url, READINESS) == 200
        with connected(base_url) as kept:
            kept.sendall(HEALTH)
            assert answer_on(kept).connection is None
            process.send_signal(signal.SIGTERM)
            while _status(base_url, READINESS) != 503:
                pass
            process.send_signal(signal.SIGTERM)  # as an orchestrator sends it to all processes
            assert _status(base_url, HEALTH) == 200  # on a new connection
            answer = None
            while answer is None or answer.connection is None:  # the other process may be told a moment later
                kept.sendall(HEALTH)
                answer = answer_on(kept)
                assert answer.status == 200
            assert answer.connection == "close"
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("delay", [0, 1])
@pytest.mark.parametrize("workers", [1, 2])
def test_connections_that_nobody_has_accepted_yet_are_answered(
    database_url: str, tmp_path: Path, workers: int, delay: int
) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path, "WORKERS": workers, "STOP_DELAY_SECONDS": delay}
    with serving(**settings | {"RUN_OPERATIONS": False}) as (process, printed), ExitStack() as stack:
        servers = processes_that_serve(process)
        assert len(servers) == workers
        for server in servers:
            stack.enter_context(suspended(server))
        for each in {process.pid, *(server.pid for server in servers)}:
            os.kill(each, signal.SIGTERM)  # as systemd and orchestrators do
        connections = [stack.enter_context(connected(base_url_in(printed))) for _ in range(WAITING)]
        for connection in connections:
            connection.sendall(HEALTH)
        for server in servers:
            server.resume()
        assert [answer_on(connection).status for connection in connections] == [200] * WAITING
        assert process.wait(PATIENCE) == 0


def test_a_process_that_is_restarted_alone_leaves_the_socket_to_the_others(database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path, "WORKERS": 2, "RUN_OPERATIONS": False}
    with serving(**settings) as (process, printed):
        first, _ = processes_that_serve(process)
        first.terminate()
        first.wait(PATIENCE)
        assert [_status(base_url_in(printed), HEALTH) for _ in range(WAITING)] == [200] * WAITING


def test_ctrl_c_ends_the_delay(database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path, "STOP_DELAY_SECONDS": 300}
    with serving(**settings) as (process, printed):
        process.send_signal(signal.SIGTERM)
        while _status(base_url_in(printed), READINESS) != 503:
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


async def test_a_reader_of_a_feed_waits_also_while_the_service_stops_and_until_it_ends(
    served_settings: dict[str, object],
) -> None:
    with serving(**served_settings | {"STOP_DELAY_SECONDS": 300}) as (process, printed):
        async with client_of(printed) as client:
            store_id = await make_store(client)
            process.send_signal(signal.SIGTERM)
            while (await client.get("/readyz")).status_code != 503:
                pass
            waiting = asyncio.create_task(read_page(client, store_id, wait=20))
            await asyncio.sleep(0.5)  # so that it waits before there is an event
            await make_profile(client, store_id, email="ann@example.com")
            page = await waiting
            assert [event["kind"] for event in page["events"]] == ["created"]
            waiting = asyncio.create_task(read_page(client, store_id, page["meta"]["nextToken"], wait=20))
            await asyncio.sleep(0.5)
            process.send_signal(signal.SIGINT)
            assert (await waiting)["events"] == []
            assert await asyncio.to_thread(process.wait, PATIENCE) == 0


class _LoadBalancer:
    """Sends requests to the services that are ready, on connections that it keeps, and sends none twice."""

    def __init__(self, services: list[Service]) -> None:
        self.outcomes: Counter[str] = Counter()
        self._services = services
        self._ready = services

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        has_to_end = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._check(has_to_end))
            for number in range(CLIENTS):
                group.create_task(self._call(number, has_to_end))
            yield
            has_to_end.set()

    async def _check(self, has_to_end: asyncio.Event) -> None:
        while not has_to_end.is_set():
            self._ready = [service for service in self._services if await _is_ready(service)]
            await asyncio.sleep(0.1)

    async def _call(self, number: int, has_to_end: asyncio.Event) -> None:
        """Keep a connection to each service, and call the services one after the other."""
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(service.async_client()) for service in self._services]
            while not has_to_end.is_set():
                number += 1
                service = self._ready[number % len(self._ready)]
                await self._look_up(clients[self._services.index(service)], service)

    async def _look_up(self, client: httpx.AsyncClient, service: Service) -> None:
        body = {"idType": "phone", "value": "+13175556789"}
        try:
            answer = await client.post(f"{service.profiles}/Lookup", json=body)
            self.outcomes[str(answer.status_code)] += 1
        except httpx.TransportError as error:
            self.outcomes[type(error).__name__] += 1


async def _is_ready(service: Service) -> bool:
    async with httpx.AsyncClient(base_url=service.base_url, timeout=PATIENCE) as client:
        try:
            return (await client.get("/readyz")).status_code == 200
        except httpx.ConnectError:
            return False


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
async def test_a_client_behind_a_load_balancer_loses_nothing(database_url: str, tmp_path: Path, workers: int) -> None:
    """Of two services on one database, one is stopped."""
    settings = {
        "DATABASE_URL": database_url, "DATA_DIR": tmp_path, "WORKERS": workers, "RUN_OPERATIONS": False,
        "STOP_DELAY_SECONDS": 1,
    }  # fmt: skip
    with ExitStack() as stack:
        processes = [stack.enter_context(serving("--demo", **settings)) for _ in range(2)]
        services = [service_of(process, printed, settings) for process, printed in processes]
        load_balancer = _LoadBalancer(services)
        async with load_balancer.running():
            await asyncio.sleep(1)
            processes[0][0].send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(processes[0][0].wait, PATIENCE) == 0
            await asyncio.sleep(1)
        assert load_balancer.outcomes.keys() == {"200"}
