"""uvicorn's HTTP protocol, with four differences: how it refuses, writes and reads, and what it says of the connection.

- If the protocol itself refuses a request, the answer has the contract's error body, too. A request that cannot be
  parsed reaches no application and no middleware, so its answer is written directly to the connection, which then ends.
- An answer's head and body, which uvicorn writes one after the other, are sent as one segment.
- A request can find out whether its client has gone, so that no work is done in vain, and has a cache that lasts as
  long as its connection (`web/connection.py`).
- A client that was refused because of overload is not read for a moment, so that refusals take little of the time.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from profile_lookup.errors import RequestRefused
from profile_lookup.serving.listener import address
from profile_lookup.web.connection import ABORT, CACHE, HOLD_BACK, IS_CLOSING, WAS_HELD_BACK
from profile_lookup.web.dependencies import services_of
from profile_lookup.web.errors import answer_with
from profile_lookup.web.request_id import new_request_id, with_request_id
from profile_lookup.web.urls import error_pages

_LATE = 0.02  # seconds after a pause in which whatever is read may have been sent before


class ContractHttpProtocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._cache: dict[str, Any] = {ABORT: transport.abort, HOLD_BACK: self.hold_back}
        self._pause = 0.0
        self.transport = self._one_segment = _OneSegmentTransport(transport)  # type: ignore[assignment]

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][IS_CLOSING] = self.transport.is_closing
        self.scope["state"][CACHE] = self._cache

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

    def send_400_response(self, _remark: str) -> None:
        """Answer a malformed request. Neither the answer nor the remark, which is logged, quotes the request."""
        answer = answer_with(RequestRefused("The request is not well-formed HTTP"), self._error_pages())
        headers = [
            *self.server_state.default_headers,
            *with_request_id(answer.raw_headers, new_request_id()),
            (b"connection", b"close"),
        ]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[400] + head + b"\r\n" + bytes(answer.body))
        self.transport.close()

    def _error_pages(self) -> str:
        """Return the address of the pages about errors. The request cannot name a host, so this connection does."""
        settings = services_of({"app": self.app}).settings
        host, port = self.server or ("127.0.0.1", None)
        return error_pages(settings.public_url or address(host, port or settings.port), settings.error_docs)


class _OneSegmentTransport:
    """A transport that holds back the head of an answer until its body is written, or the answer ends without one."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self._write = transport.write
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        head = self._head
        if head is not None:
            self._head = None
            self._write(head + data)
        elif data.startswith(b"HTTP/1.1 2"):
            self._head = data
        else:
            self._write(data)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        if self._head is not None:
            head, self._head = self._head, None
            self._write(head)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
