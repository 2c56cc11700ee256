"""uvicorn's HTTP, with three differences: how it refuses, how it writes, and what it tells of the connection.

- What it refuses by itself gets the contract's error body as well. A request that cannot even be parsed never becomes
  one: no application sees it, and no middleware. So its answer is written right onto the connection, which then ends.
- An answer's head and body, which uvicorn writes one after the other, go out as one segment.
- A request may know whether its client has gone, so that nothing is done for nobody, and it has a memory that lasts as
  long as its connection (`web/connection.py`).
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from profile_lookup.errors import RequestRefused
from profile_lookup.web.connection import IS_CLOSING, MEMORY
from profile_lookup.web.errors import answer_to
from profile_lookup.web.request_id import HEADER, new_request_id


class ContractHttpProtocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._memory: dict[str, Any] = {}
        self.transport = self._one_segment = _OneSegment(transport)  # type: ignore[assignment]

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][IS_CLOSING] = self.transport.is_closing
        self.scope["state"][MEMORY] = self._memory

    def on_response_complete(self) -> None:
        self._one_segment.flush()
        super().on_response_complete()

    def send_400_response(self, _remark: str) -> None:
        """The remark is in the log already. Neither it nor the answer has anything of what the client sent."""
        answer = answer_to(RequestRefused("The request is not well-formed HTTP"))
        headers = [
            *self.server_state.default_headers,
            *answer.raw_headers,
            (HEADER.lower().encode(), new_request_id().encode()),
            (b"connection", b"close"),
        ]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[400] + head + b"\r\n" + bytes(answer.body))
        self.transport.close()


class _OneSegment:
    """A transport that keeps an answer's head until its body comes, or there is none."""

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
