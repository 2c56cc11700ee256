"""Answers usual Lookups below ASGI: without a task, a scope and a chain of callables for each.

`LookupProtocol` is the protocol of a connection. If a whole Lookup arrives while nothing else is under way there, and
nothing of it is unusual (`usual_lookup.py`), it begins the lookup itself and writes the answer when the coalesced query
calls back. Everything else is left to uvicorn's protocol, which has not seen the requests that were answered here: the
next request of the same connection, if that is unusual, and a request on the way. That one is *handed over* if more
arrives before its answer, if the process stops, or if its answer is not a success. uvicorn then gets the same bytes,
and the application gets the outcome of the lookup in the request's scope (`web/connection.py`). So there is one way to
refuse a request, and it is that of ASGI.

The setting `DIRECT_LOOKUPS` turns this off. See docs/decisions/0038-lookups-below-asgi.md.
"""

import asyncio
import math
from time import monotonic
from typing import Any

from uuid_utils import uuid4

from profile_lookup.errors import Overloaded, Unavailable
from profile_lookup.lookup.profile_lookup import Outcome
from profile_lookup.metrics.catalogue import LOOKUP, REQUESTS
from profile_lookup.serving.http_protocol import ContractHttpProtocol, Strangers
from profile_lookup.serving.usual_lookup import (
    END_OF_HEAD,
    START,
    UsualHead,
    answer_template,
    lookup_record,
    parse_usual_head,
)
from profile_lookup.web.connection import BEGUN, STARTED_AT, WAS_HELD_BACK
from profile_lookup.web.middleware.allowed_hosts import allowed_hosts
from profile_lookup.web.middleware.request_id import new_request_id

_MAX_SIZE = 8 << 10  # bytes of a whole request
_BODY_FOLLOWS = 0.05  # seconds; a system may delay it by 40 ms, until the head is acknowledged
_MAX_HEADS = 8
"""How many heads are cached with a connection: clients mostly send the same one, with few different lengths."""


class LookupProtocol(ContractHttpProtocol):
    def __init__(self, strangers: Strangers, **uvicorns: Any) -> None:
        super().__init__(strangers, **uvicorns)
        names = self._services.settings.allowed_hosts
        self._hosts = None if names is None else allowed_hosts(names)
        self._limit = self._services.load_limits.lookups
        self._audit = self._services.audit
        self._durations = REQUESTS.of(LOOKUP, "200") if self._services.settings.has_metrics else None
        self._started_at = 0.0
        self._heads: dict[bytes, UsualHead] = {}
        self._head: bytes | None = None
        """A usual head whose body has not arrived."""
        self._head_timer: asyncio.TimerHandle | None = None
        self._request: bytes | None = None
        """The request whose lookup is under way and was not handed over."""
        self._usual: UsualHead | None = None
        """The head of the last request that was begun here."""
        self._outcome: asyncio.Future[Outcome] | None = None
        """The outcome of a lookup that was handed over."""
        self._is_handing_over = False
        self._answered_at = -math.inf
        self._server_headers: list[tuple[bytes, bytes]] | None = None
        self._template = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._is_closing = transport.is_closing
        self._write = transport.write

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._take_head()
        self._heads.clear()  # they hold secrets

    @property
    def has_request(self) -> bool:
        return self._request is not None or self._head is not None or super().has_request

    # What arrives

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            data = self._take_head() + data
            if self._begin(data):
                return
        elif self._request is not None:
            self._hand_over()
        elif data.startswith(START) and self._is_between_requests() and (self._begin(data) or self._keep_head(data)):
            return
        super().data_received(data)

    def _is_between_requests(self) -> bool:
        """Return whether a request that arrives now is the only one here, and of a caller who was admitted before."""
        return (
            self._is_whole
            and not self._is_strangers
            and self.cycle.response_complete
            and not self.flow.write_paused
            and not self._services.stopping.is_set()
            and WAS_HELD_BACK not in self._cache
            and not self._is_closing()
        )

    def _begin(self, data: bytes) -> bool:
        """Begin the lookup if `data` is one usual request. Otherwise return False, and nothing was counted."""
        end = data.find(END_OF_HEAD) + len(END_OF_HEAD)
        head = self._head_of(data[:end]) if len(data) <= _MAX_SIZE else None
        if head is None or len(data) - end != head.body_size:
            return False
        if head.is_forwarded and self._is_proxys and not self._turns.is_free:
            return False
        try:
            self._limit.begin()
        except Overloaded:
            return False
        self._request, self._usual = data, head
        self._started_at = monotonic()
        if self._services.lookup.begin(head.credentials, head.store_id, data[end:], self._is_closing, self._settle):
            return True
        self._request = None
        self._limit.suspend()
        return False

    def _keep_head(self, data: bytes) -> bool:
        """Keep `data` until the body arrives, if it is a usual head alone. Return whether it is."""
        if not data.endswith(END_OF_HEAD) or len(data) > _MAX_SIZE or self._head_of(data) is None:
            return False
        self._head = data
        self._head_timer = self.loop.call_later(_BODY_FOLLOWS, self._leave_head)
        return True

    def _take_head(self) -> bytes:
        """Return the head that is kept, and keep it no longer."""
        head, self._head = self._head or b"", None
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        return head

    def _leave_head(self) -> None:
        """Let uvicorn and the application serve the request whose head is kept."""
        head = self._take_head()
        if not self._is_closing():
            super().data_received(head)

    def _head_of(self, sent: bytes) -> UsualHead | None:
        head = self._heads.get(sent)
        if head is None:
            head = parse_usual_head(sent, self._cache, self._hosts)
            if head is not None:
                if len(self._heads) >= _MAX_HEADS:
                    self._heads.clear()
                self._heads[sent] = head
        return head

    # What is answered

    def _settle(self, outcome: Outcome) -> None:
        if self._outcome is not None:
            handed_over, self._outcome = self._outcome, None
            if not handed_over.done():  # the request was cancelled
                handed_over.set_result(outcome)
        elif self._is_closing():
            self._forget(outcome)
        elif isinstance(outcome, bytes):
            self._answer(outcome)
        else:
            self._hand_over()
            self._settle(outcome)

    def _answer(self, body: bytes) -> None:
        self._request = None
        self._limit.end()
        self._answered_at = self.loop.time()
        self.server_state.total_requests += 1
        headers = self.server_state.default_headers
        if headers is not self._server_headers:
            self._server_headers, self._template = headers, answer_template(tuple(headers))
        assert self._usual is not None
        request_id = (self._usual.request_id or f"RQ{uuid4().hex}").encode()
        self._write(self._template % (len(body), request_id, request_id, body))
        if self._durations is not None:
            self._durations.add(monotonic() - self._started_at)
        if self._audit is not None and self._audit.chooses():
            self._audit.write(lookup_record(self._usual, request_id.decode(), body))

    def _forget(self, outcome: Outcome) -> None:
        """End a request whose client has gone."""
        self._request = None
        self._limit.end()
        if isinstance(outcome, Unavailable):
            sent = None if self._usual is None else self._usual.request_id
            self._services.load_limits.refusals.log(outcome, sent or new_request_id())

    def _hand_over(self) -> None:
        """Let uvicorn and the application serve the request whose lookup is under way, with the outcome of that."""
        request, self._request = self._request, None
        assert request is not None
        self._limit.suspend()  # the application counts it from now on
        self._outcome = self.loop.create_future()
        self._is_handing_over = True
        super().data_received(request)
        self._is_handing_over = False

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._is_handing_over:
            self.scope["state"][BEGUN] = self._outcome
            self.scope["state"][STARTED_AT] = self._started_at

    # When the connection ends

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that is not used. The timer is not set anew for requests that are answered here."""
        now = self.loop.time()
        used_at = now if self.has_request else self._answered_at
        if used_at + self.timeout_keep_alive <= now:
            super().timeout_keep_alive_handler()
        else:
            end = used_at + self.timeout_keep_alive
            self.timeout_keep_alive_task = self.loop.call_at(end, self.timeout_keep_alive_handler)

    def shutdown(self) -> None:
        if self._head is not None:
            self._leave_head()
        elif self._request is not None:
            self._hand_over()
        super().shutdown()
