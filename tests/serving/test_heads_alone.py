"""Lookups whose head arrives before the body, as most clients in Python send them."""

import threading
import time
from collections.abc import Callable

from profile_lookup.serving.lookup_protocol import LookupProtocol
from tests.conftest import PATIENCE
from tests.serving.counting_service import CountingProtocol, Service
from tests.serving.lookups import FOUND
from tests.serving.raw_http import answer_on, is_ended


def _in_loop(protocol: LookupProtocol, *callbacks: Callable[[], None]) -> None:
    """Call functions one after the other in the loop of the service, with nothing between them, and wait for that."""
    is_done = threading.Event()
    protocol.loop.call_soon_threadsafe(lambda: [callback() for callback in (*callbacks, is_done.set)])
    assert is_done.wait(PATIENCE)


def test_a_lookup_whose_body_follows_its_head_is_answered_on_its_connection(service: Service) -> None:
    head = service.store.lookup().removesuffix(FOUND)
    with service.admitted() as connection:
        protocol = service.protocol_of(connection)
        _in_loop(protocol, lambda: protocol.data_received(head), lambda: protocol.data_received(FOUND))
        assert answer_on(connection).status == 200
    assert CountingProtocol.answered == 1


def test_a_head_that_no_body_follows_is_left_to_uvicorn(service: Service) -> None:
    with service.admitted() as connection:
        protocol = service.protocol_of(connection)
        connection.sendall(service.store.lookup().removesuffix(FOUND))
        while protocol.cycle.response_complete:
            time.sleep(0.01)
        connection.sendall(FOUND)
        assert answer_on(connection).status == 200
        assert CountingProtocol.answered == 0
        connection.sendall(service.store.lookup())
        assert answer_on(connection).status == 200
    assert CountingProtocol.answered == 1


def test_a_lookup_whose_head_alone_has_arrived_is_answered_when_the_service_stops(service: Service) -> None:
    head = service.store.lookup().removesuffix(FOUND)
    with service.admitted() as connection:
        protocol = service.protocol_of(connection)
        _in_loop(protocol, lambda: protocol.data_received(head), protocol.shutdown)
        connection.sendall(FOUND)
        answer = answer_on(connection)
        assert (answer.status, answer.connection) == (200, "close")
        assert is_ended(connection)
