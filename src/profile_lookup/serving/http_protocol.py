"""uvicorn's HTTP protocol, with limits for strangers, and with answers of our own.

- If the protocol itself refuses a request, the answer has the contract's error body, too. Such a request reaches no
  application and no middleware, so its answer is written directly to the connection, which then ends.
- Heads are limited in size, and clients in how slowly they send. Requests on connections on which nobody has been
  admitted yet take turns, and such connections are the first to be ended if there are too many.
- An answer's head and body, which uvicorn writes one after the other, are sent as one segment (`one_segment.py`).
- A request can find out whether its client has gone, so that no work is done in vain, and has a cache that lasts as
  long as its connection (`web/connection.py`).
- A client that was refused because of overload is not read for a moment, so that refusals take little of the time.
- When the process stops, answers say `Connection: close`, and connections without a request wait a moment for one.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from profile_lookup.errors import HeadTooLarge, ProfileLookupError, RequestRefused, RequestTooSlow, Unavailable
from profile_lookup.serving.admission_turns import AdmissionTurns, Turn, in_turn
from profile_lookup.serving.connection_limits import ConnectionLimits
from profile_lookup.serving.direct_answer import direct_answer
from profile_lookup.serving.one_segment import OneSegmentTransport
from profile_lookup.serving.progress_watch import BODY, CROWDED_HEAD, WHOLE_HEAD, ProgressWatch
from profile_lookup.web.client_address import client_addresses, counted_address, is_forwarded
from profile_lookup.web.connection import (
    ABORT,
    ADMITTING_PATHS,
    CACHE,
    HOLD_BACK,
    IS_CLOSING,
    NOTE_ADMISSION,
    WAS_HELD_BACK,
)
from profile_lookup.web.dependencies import services_of

MAX_HEAD = 64 << 10  # bytes of the request line and the headers
MAX_PIPELINED = 32  # requests that wait on one connection for the answer to another one
LONGEST_WAIT_FOR_TURN = 5.0  # seconds
LAST_CALL = 0.5  # seconds in which a request may still arrive on a kept connection when the process stops
_LATE = 0.02  # seconds after a pause in which whatever is read may have been sent before
_PIECE = 16 << 10  # bytes that are parsed before the size of the head is checked


@dataclass(frozen=True, slots=True)
class Strangers:
    """What one process does about those who connect and have not been admitted yet."""

    limits: ConnectionLimits
    turns: AdmissionTurns


class ContractHttpProtocol(HttpToolsProtocol):
    def __init__(self, strangers: Strangers, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._limits, self._turns = strangers.limits, strangers.turns
        self._services = services_of({"app": self.app})
        self._addresses = client_addresses(self._services.settings.trusted_proxies)
        self._watch = ProgressWatch(self.loop)
        self._is_whole, self._is_in_head, self._head_size = False, True, 0
        self._is_strangers = True
        self._turn: Turn | None = None
        self._refusal: ProfileLookupError = RequestRefused("The request is not well-formed HTTP")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._cache: dict[str, Any] = {ABORT: transport.abort, HOLD_BACK: self.hold_back}
        self._pause = 0.0
        self.transport = self._one_segment = OneSegmentTransport(transport)  # type: ignore[assignment]
        peer = self.client[0] if self.client else ""
        self._is_proxys = self._addresses.is_trusted_proxy(peer)
        is_crowded = self._limits.open(self, None if self._is_proxys else counted_address(peer))
        if is_crowded:
            self.timeout_keep_alive = CROWDED_HEAD.seconds  # type: ignore[assignment]
        self._watch.start(CROWDED_HEAD if is_crowded else WHOLE_HEAD, self._is_not_clients_turn, self._time_out)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._watch.stop()
        self._limits.close(self)
        self._cache.clear()
        if self._turn is not None and self._turn.is_awaited:
            self._turn.give_up()

    @property
    def has_request(self) -> bool:
        """Whether the head of a request has arrived whose answer is not complete yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def abort(self) -> None:
        self.transport.abort()

    # What arrives

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            if self._is_whole:
                self._begin_head()
            self._head_size += len(piece)
            self._watch.received += len(piece)
            super().data_received(piece)
            if self.transport.is_closing():
                return
            if not self._is_whole:
                self._await_the_rest()

    def _begin_head(self) -> None:
        self._is_whole, self._is_in_head, self._head_size = False, True, 0

    def _await_the_rest(self) -> None:
        if self._is_in_head and self._head_size > MAX_HEAD:
            self._refuse(HeadTooLarge(MAX_HEAD))
            return
        if not self._is_in_head:
            self.headers.clear()  # they are trailers, which nobody reads
        if not self._watch.is_running:
            self._watch.start(WHOLE_HEAD if self._is_in_head else BODY, self._is_not_clients_turn, self._time_out)

    def on_message_begin(self) -> None:
        if self._is_whole:  # it came in one piece with the request before it
            self._begin_head()
        super().on_message_begin()
        self.scope["state"][IS_CLOSING] = self.transport.is_closing
        self.scope["state"][CACHE] = self._cache

    def on_headers_complete(self) -> None:
        if self._head_size > MAX_HEAD:  # the piece may also contain something of the body
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > MAX_HEAD:
                self._refusal = HeadTooLarge(MAX_HEAD)
                raise self._refusal
        if len(self.pipeline) >= MAX_PIPELINED:
            self.abort()
            return
        self._is_in_head = False
        self._watch.stop()
        super().on_headers_complete()
        self.headers = []  # uvicorn would add trailers to the headers of the request
        if self._services.stopping.is_set():
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._is_whole = True
        self._watch.stop()
        super().on_message_complete()

    def _is_not_clients_turn(self) -> bool:
        """Return whether the client need not send: it waits for 100 Continue or an answer, or we do not read."""
        if self._is_in_head:
            return self.has_request or self.flow.read_paused
        return self.cycle.waiting_for_100_continue or self.flow.read_paused

    def _time_out(self) -> None:
        if self.has_request or (self._is_in_head and self._head_size):
            self._refuse(RequestTooSlow())
        else:
            self.transport.close()  # no request is to be answered

    # Who is served

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if not self._needs_turn(cycle.scope):
            super()._start_asgi_task(cycle, app)
            return
        start = partial(super()._start_asgi_task, cycle)
        client = self._addresses.of_request(cycle.scope)
        self._cache[NOTE_ADMISSION] = self._note_admission
        self._turn = turn = self._turns.enter(client, lambda turn: start(in_turn(turn, app)))
        if turn.is_awaited:
            self.flow.pause_reading()  # until the request has its turn and the application reads
            self.loop.call_later(LONGEST_WAIT_FOR_TURN, self._end_wait, turn)

    def _needs_turn(self, scope: Mapping[str, Any]) -> bool:
        """Return whether the caller is a stranger: nobody was admitted here, or a proxy sends requests of many."""
        is_strangers = self._is_strangers or (self._is_proxys and is_forwarded(scope))
        return is_strangers and scope["path"].startswith(ADMITTING_PATHS)

    def _end_wait(self, turn: Turn) -> None:
        if turn.is_awaited:
            turn.give_up()
            self._refuse(Unavailable("too many callers wait to be admitted"))

    def _note_admission(self) -> None:
        self._is_strangers = False
        self._limits.admit(self)
        self.timeout_keep_alive = self.config.timeout_keep_alive
        if self._turn is not None:
            self._turn.give_up()

    # What is answered

    def on_response_complete(self) -> None:
        self._one_segment.flush()
        super().on_response_complete()
        if self._pause and not self.transport.is_closing():
            self.transport.pause_reading()
            self.loop.call_later(self._pause, self._read_again)
            self._pause = 0.0

    def hold_back(self, seconds: float) -> None:
        """After the answer, leave what the client sends in the kernel for some seconds, where it costs nothing."""
        self._pause = seconds

    def _read_again(self) -> None:
        if not self.transport.is_closing():
            self._cache[WAS_HELD_BACK] = True
            self.transport.resume_reading()
            self.loop.call_later(_LATE, self._cache.pop, WAS_HELD_BACK, None)

    def shutdown(self) -> None:
        """Let a request under way end, and give a kept connection a last chance to send one."""
        self._services.stopping.set()
        self._services.ending.set()
        if self.has_request:
            self.cycle.keep_alive = False
        else:
            self.loop.call_later(LAST_CALL, self._close_without_request)

    def _close_without_request(self) -> None:
        if not self.has_request:
            self.transport.close()

    def send_400_response(self, _remark: str) -> None:
        """Refuse a request that cannot be parsed. Neither the answer nor the remark, which is logged, quotes it."""
        self._refuse(self._refusal)

    def _refuse(self, refusal: ProfileLookupError) -> None:
        """Answer a request without the application, unless the answer has begun, and end the connection."""
        has_begun = False
        if self.has_request:
            has_begun = self.cycle.response_started or bool(self.pipeline)
            self.cycle.disconnected = True  # the application is to stop; what it sends is dropped
            self.cycle.message_event.set()
        if not has_begun:
            settings, headers = self._services.settings, self.server_state.default_headers
            self.transport.write(direct_answer(refusal, settings, self.server, headers))
        self.transport.close()
