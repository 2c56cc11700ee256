"""Lookups that are answered on their connection: which ones, and what happens while they are under way."""

import asyncio
import time
from dataclasses import replace
from functools import partial

import asyncpg
import httpx
import pytest

from profile_lookup.lookup import lookup_queue
from profile_lookup.serving.http_protocol import ContractHttpProtocol
from profile_lookup.serving.lookup_protocol import LookupProtocol
from profile_lookup.serving.processes import uvicorn_config
from profile_lookup.settings import Settings
from profile_lookup.stores.rules_cache import RULES
from profile_lookup.web import ids
from tests.conftest import PATIENCE
from tests.serving.counting_service import CountingProtocol, Service, held_up
from tests.serving.lookups import FOUND
from tests.serving.raw_http import answer_on, is_ended, received_until_end, request

HEALTH = request("GET", "/healthz")
FORWARDED = "X-Forwarded-For: 192.0.2.9"


@pytest.mark.parametrize("header", ["Accept: */*", "Connection: Keep-Alive", "X-Request-Id: a-1", FORWARDED])
def test_a_usual_lookup_is_answered_on_its_connection(service: Service, header: str) -> None:
    assert service.is_answered_directly(header)


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("Connection: close", FOUND),
        ("Expect: 100-continue", FOUND),
        ("Upgrade: websocket", FOUND),
        ("Content-Encoding: identity", FOUND),
        ("Accept: */*", b"{}"),
        ("Accept: */*", b'{"idType":"name","value":"Alyssa"}'),
    ],
)
def test_an_unusual_lookup_is_not(service: Service, header: str, body: bytes) -> None:
    assert not service.is_answered_directly(header, body=body)


def test_the_first_lookup_of_a_connection_is_not(service: Service) -> None:
    with service.admitted():
        assert CountingProtocol.answered == 0


@pytest.mark.parametrize("change", [{"direct_lookups": False}, {"ephemeral": True}, {"log_requests": True}])
def test_lookups_can_be_left_to_the_web_server(settings: Settings, change: dict[str, bool]) -> None:
    for changed, protocol in ((settings, LookupProtocol), (settings.model_copy(update=change), ContractHttpProtocol)):
        http = uvicorn_config("app", changed).http
        assert isinstance(http, partial)
        assert http.func is protocol


def test_a_connection_serves_lookups_and_other_requests_in_any_order(service: Service) -> None:
    with service.admitted() as connection:
        for sent in (service.store.lookup(), HEALTH, service.store.lookup(b"{}"), service.store.lookup(), HEALTH):
            connection.sendall(sent)
            assert answer_on(connection).status == (400 if sent.endswith(b"{}") else 200)
    assert CountingProtocol.answered == 2


async def test_a_defect_has_the_answer_of_the_application(service: Service) -> None:
    store_id = ids.store_uuid(service.store.id)
    with service.admitted() as connection:
        store = RULES.get(store_id)
        assert store is not None
        RULES.put(replace(store, settings=None))  # type: ignore[arg-type]  # such rules are a defect
        connection.sendall(service.store.lookup())
        assert (await asyncio.to_thread(answer_on, connection)).status == 500
        RULES.discard(store.id)
        connection.sendall(service.store.lookup())
        assert (await asyncio.to_thread(answer_on, connection)).status == 200
    await service.until_under_way(0)


async def test_requests_that_arrive_before_the_answer_are_answered_after_it(
    service: Service, settings: Settings
) -> None:
    with service.admitted() as connection:
        protocol = service.protocol_of(connection)
        async with held_up(settings) as until_begun:
            connection.sendall(service.store.lookup(FOUND, "X-Request-Id: first"))
            await until_begun()
            connection.sendall(service.store.lookup(FOUND, "X-Request-Id: second") + HEALTH[:20])
            while protocol._request is not None:  # until they have arrived
                await asyncio.sleep(0.01)
        connection.sendall(HEALTH[20:-2] + b"Connection: close\r\n\r\n")
        received = await asyncio.to_thread(received_until_end, connection)
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert 0 < received.index(b"x-request-id: first") < received.index(b"x-request-id: second")
    assert received.endswith(b'{"status":"ok"}')
    assert CountingProtocol.answered == 0
    await service.until_under_way(0)


async def test_a_lookup_is_counted_once_however_it_ends(service: Service, settings: Settings) -> None:
    """It is answered, handed over, refused, or its client goes away."""
    with service.admitted() as gone, service.admitted() as more, service.admitted() as stays:
        async with held_up(settings) as until_begun:
            for connection in (gone, more, stays):
                connection.sendall(service.store.lookup())
            await until_begun()
            more.sendall(HEALTH)
            await service.until_under_way(3)
            gone.close()
        assert await asyncio.to_thread(lambda: [answer_on(each).status for each in (more, stays)]) == [200, 200]
        stays.sendall(service.store.lookup(b"{"))
        assert (await asyncio.to_thread(answer_on, stays)).status == 400
        await service.until_under_way(0)


async def test_a_lookup_under_way_is_answered_when_the_service_stops(service: Service, settings: Settings) -> None:
    with service.admitted() as connection:
        async with held_up(settings) as until_begun:
            connection.sendall(service.store.lookup())
            await until_begun()
            service.server.should_exit = True
            async with asyncio.timeout(PATIENCE):
                while not service.services.stopping.is_set():
                    await asyncio.sleep(0.01)
        answer = await asyncio.to_thread(answer_on, connection)
        assert (answer.status, answer.connection) == (200, "close")
        assert await asyncio.to_thread(is_ended, connection)


async def test_a_lookup_without_an_answer_from_the_database_is_refused(
    service: Service, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service.admitted() as connection:
        monkeypatch.setattr(lookup_queue, "DEADLINE", 0.5)
        async with held_up(settings):
            connection.sendall(service.store.lookup())
            answer = await asyncio.to_thread(answer_on, connection)
        assert (answer.status, answer.code) == (503, 20503)
        monkeypatch.undo()
        connection.sendall(service.store.lookup())
        assert (await asyncio.to_thread(answer_on, connection)).status == 200


async def test_a_lookup_beyond_the_limit_of_load_is_refused(service: Service) -> None:
    limit = service.services.load_limits.lookups
    with service.admitted() as connection:
        begun = limit._limit
        for _ in range(begun):
            limit.begin()
        connection.sendall(service.store.lookup())
        assert answer_on(connection).status == 503
        for _ in range(begun):
            limit.end()
    await service.until_under_way(0)


async def test_a_secret_that_was_changed_is_refused_on_a_connection_that_had_answers(
    service: Service, settings: Settings
) -> None:
    assert settings.database_url is not None
    with service.admitted() as connection:
        connection.sendall(service.store.lookup())
        assert answer_on(connection).status == 200
        database = await asyncpg.connect(settings.database_url.get_secret_value())
        await database.execute("update credential set secret_sha256 = sha256('')")
        await database.close()
        connection.sendall(service.store.lookup())
        assert (await asyncio.to_thread(answer_on, connection)).status == 401
    assert CountingProtocol.answered == 1


def test_rules_that_change_count_on_a_connection_that_had_answers(service: Service) -> None:
    body = b'{"idType":"fax","value":" 1 "}'
    with service.admitted() as connection:
        connection.sendall(service.store.lookup(body))
        assert answer_on(connection).status == 400
        path = f"/v1/ControlPlane/Stores/{service.store.id}/IdentityResolutionSettings"
        with httpx.Client(base_url=service.url, auth=service.store.account, timeout=PATIENCE) as client:
            document = client.get(path).json()
            document["identifierConfigs"].append({"idType": "fax"})
            assert client.put(path, json=document).is_success
        answers = []
        for sent in (body, FOUND, body):
            connection.sendall(service.store.lookup(sent))
            answers.append(answer_on(connection))
    assert [answer.status for answer in answers] == [200] * 3


class TestRateLimits:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"rate_limit_per_key": 0.001, "rate_burst_per_key": 100})

    def test_each_lookup_takes_one_token(self, service: Service) -> None:
        with service.admitted() as connection:
            statuses = []
            while 429 not in statuses:
                connection.sendall(service.store.lookup())
                statuses.append(answer_on(connection).status)
        assert CountingProtocol.answered == len(statuses) - 1 > 50  # making the store took the others


class TestKeepAlive:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"keep_alive_seconds": 3})

    @pytest.mark.slow
    def test_a_connection_ends_when_it_is_idle_and_not_while_it_is_used(self, service: Service) -> None:
        with service.admitted() as connection:
            for _ in range(8):  # in more seconds than a connection may be idle
                time.sleep(0.5)
                connection.sendall(service.store.lookup())
                assert answer_on(connection).status == 200
            assert CountingProtocol.answered == 8
            assert is_ended(connection)


def test_a_client_that_does_not_read_gets_its_answer_when_it_does(service: Service) -> None:
    with service.admitted() as connection:
        protocol = service.protocol_of(connection)
        protocol.loop.call_soon_threadsafe(protocol.pause_writing)  # as the transport does when its buffer is full
        while not protocol.flow.write_paused:
            time.sleep(0.01)
        connection.sendall(service.store.lookup())
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(PATIENCE)
        protocol.loop.call_soon_threadsafe(protocol.resume_writing)
        assert answer_on(connection).status == 200
    assert CountingProtocol.answered == 0
