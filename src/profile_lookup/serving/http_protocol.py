"""uvicorn's HTTP protocol, with two differences: how it refuses, and what it says of the connection.

- If the protocol itself refuses a request, the answer has the contract's error body, too. A request that cannot be
  parsed reaches no application and no middleware, so its answer is written directly to the connection, which then ends.
- A request can find out whether its client has gone, so that no work is done in vain, and has a cache that lasts as
  long as its connection (`web/connection.py`).
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from profile_lookup.errors import RequestRefused
from profile_lookup.web.connection import CACHE, IS_CLOSING
from profile_lookup.web.errors import answer_to
from profile_lookup.web.request_id import HEADER, new_request_id


class ContractHttpProtocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._cache: dict[str, Any] = {}

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][IS_CLOSING] = self.transport.is_closing
        self.scope["state"][CACHE] = self._cache

    def send_400_response(self, _remark: str) -> None:
        """Answer a malformed request. Neither the answer nor the remark, which is logged, quotes the request."""
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
