"""A declared FastAPI operation, served without FastAPI's machinery of each request.

Routing, solving dependencies, validating and serializing take most of the time of a short operation. Before all that a
small function is asked, which answers what is usual, byte for byte as FastAPI would have, or gives None; and then
FastAPI serves the request as if nothing had been asked. So the function knows no refusals: whatever is odd has its
answer there.
"""

from collections.abc import Awaitable, Callable

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from profile_lookup.errors import ProfileLookupError
from profile_lookup.web.errors import on_domain_error

Lean = Callable[[Scope, str, dict[bytes, bytes], bytes], Awaitable[bytes | None]]
"""The JSON body of a 200, for a request with this parameter in its path, these headers and this body; or None.

Raises `ProfileLookupError` for what FastAPI would be told as well, as that the service is unavailable.
"""

_DIGITS = 4


class LeanMiddleware:
    """Asks `answer` first, of a route with one parameter in its path."""

    def __init__(self, app: ASGIApp, *, route: APIRoute, answer: Lean) -> None:
        self.app = app
        self._route = route
        self._answer = answer
        self._methods = route.methods or ()
        self._prefix, _, rest = route.path.partition("{")
        _, _, self._suffix = rest.partition("}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (parameter := self._parameter(scope)):
            await self.app(scope, receive, send)
            return
        scope["route"] = self._route
        headers = dict(scope["headers"])
        if not _has_short_json(headers):
            await self.app(scope, receive, send)
            return
        received = [await receive()]
        while received[-1].get("more_body"):
            received.append(await receive())
        body = received[0].get("body", b"")
        if len(received) > 1:
            body = b"".join([message.get("body", b"") for message in received])
        try:
            answer = await self._answer(scope, parameter, headers, body)
        except ProfileLookupError as error:
            refusal = await on_domain_error(Request(scope), error)
            await refusal(scope, receive, send)
            return
        if answer is None:
            await self.app(scope, _starting_with(received, receive), send)
            return
        raw_headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": raw_headers})
        await send({"type": "http.response.body", "body": answer})

    def _parameter(self, scope: Scope) -> str | None:
        """What stands in the path for the parameter; None if this is another operation."""
        path: str = scope["path"]
        if not path.endswith(self._suffix) or not path.startswith(self._prefix) or scope["method"] not in self._methods:
            return None
        parameter = path[len(self._prefix) : -len(self._suffix)]
        return None if "/" in parameter or scope["root_path"] else parameter


def _has_short_json(headers: dict[bytes, bytes]) -> bool:
    """Less than 10,000 bytes: a longer one is nothing to hurry for."""
    length = headers.get(b"content-length", b"")
    return headers.get(b"content-type") == b"application/json" and length.isdigit() and len(length) <= _DIGITS


def _starting_with(received: list[Message], receive: Receive) -> Receive:
    waiting = received[::-1]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
