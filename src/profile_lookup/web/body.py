"""The request body is judged last.

FastAPI reads and parses the body before it solves dependencies, so that malformed JSON would be answered before
wrong credentials. Here a body that cannot be read becomes a value that no model accepts: dependencies speak first,
and the error handler asks for the reason.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope

from profile_lookup.errors import BodyTooLarge, RequestRefused

MAX_BODY = 1 << 20  # bytes, unless a route takes more

_NO_OBJECT = ""  # a string: with its rules for attributes, pydantic would take any object of ours for an empty model


class BodyLastRoute(APIRoute):
    max_body = MAX_BODY

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_body_last(request: Request) -> Response:
            return await handle(_BodyLastRequest(request.scope, request.receive, self.max_body))

        return handle_body_last


def why_unreadable(request: Request) -> RequestRefused | None:
    """Why the body of this request could not be read, if so."""
    reason: RequestRefused | None = getattr(request.state, "why_unreadable", None)
    return reason


class _BodyLastRequest(Request):
    def __init__(self, scope: Scope, receive: Receive, max_body: int) -> None:
        super().__init__(scope, receive)
        self._max_body = max_body

    async def body(self) -> bytes:
        """At most as many bytes as the route takes; of a body that announces more, none."""
        if not hasattr(self, "_body"):
            received = bytearray()
            announced = self.headers.get("Content-Length", "0")
            if announced.isdecimal() and int(announced[:20]) > self._max_body:
                self.state.why_unreadable = BodyTooLarge(self._max_body)
                received += b"{}"  # FastAPI asks `json` for no empty body
            else:
                async for chunk in self.stream():
                    received += chunk
                    if len(received) > self._max_body:
                        self.state.why_unreadable = BodyTooLarge(self._max_body)
                        break
            self._body = bytes(received)
        return self._body

    async def json(self) -> Any:
        body = await self.body()
        if why_unreadable(self) is None:
            try:
                return read_json(body)
            except (ValueError, RecursionError) as error:
                position = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
                self.state.why_unreadable = RequestRefused(f"body: expected JSON; it is malformed{position}")
        return _NO_OBJECT


def read_json(body: bytes) -> Any:
    """Raises `ValueError` or `RecursionError`."""
    return json.loads(body, parse_constant=_refuse_constant)


def _refuse_constant(_name: str) -> None:
    """Python reads NaN and Infinity, which JSON does not have."""
    raise ValueError
