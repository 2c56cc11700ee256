"""The request body is judged last.

FastAPI reads and parses the body before it solves dependencies, so that malformed JSON would be answered before
wrong credentials. Here a body that cannot be read becomes a value that no model accepts: dependencies speak
first, and the error handler finds the reason in it.
"""

import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from profile_lookup.errors import BodyTooLarge, RequestRefused

MAX_BODY = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class UnreadableBody:
    reason: RequestRefused


class BodyLastRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_body_last(request: Request) -> Response:
            return await handle(_BodyLastRequest(request.scope, request.receive))

        return handle_body_last


class _BodyLastRequest(Request):
    _is_too_large = False

    async def body(self) -> bytes:
        """At most `MAX_BODY` bytes; the rest of a larger body is never read."""
        if not hasattr(self, "_body"):
            received = bytearray()
            async for chunk in self.stream():
                received += chunk
                if len(received) > MAX_BODY:
                    self._is_too_large = True
                    break
            self._body = bytes(received)
        return self._body

    async def json(self) -> Any:
        if self._is_too_large:
            return UnreadableBody(BodyTooLarge(MAX_BODY))
        try:
            return json.loads(await self.body())
        except (ValueError, RecursionError) as error:
            position = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
            return UnreadableBody(RequestRefused(f"body: expected JSON; it is malformed{position}"))
