"""A declared FastAPI operation, served without FastAPI's machinery of each request.

Routing, solving dependencies, validating and serializing take most of the time of a short operation. Before all that a
small function is asked, which answers what is usual, byte for byte as FastAPI would have, or gives None; and then
FastAPI serves the request as if nothing had been asked. So the function knows no refusals: whatever is odd has its
answer there.
"""

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from profile_lookup.errors import ProfileLookupError
from profile_lookup.web.errors import on_domain_error

Lean = Callable[[Scope, str, dict[bytes, bytes], bytes], Awaitable[bytes | None]]
"""The JSON body of a success, for a request with this parameter in its path, these headers and this body; or None.

Raises `ProfileLookupError` for what FastAPI would be told as well, as that the service is unavailable.
"""

_DIGITS = 4


class LeanOperation:
    """A route with one parameter in its path, and the function that answers."""

    def __init__(self, route: APIRoute, answer: Lean) -> None:
        self.route = route
        self.answer = answer
        self.status = route.status_code or HTTPStatus.OK
        self._methods = route.methods or ()
        self._prefix, _, rest = route.path.partition("{")
        _, _, self._suffix = rest.partition("}")

    def parameter(self, scope: Scope) -> str | None:
        """What stands in the path for the parameter; None if this is another operation."""
        path: str = scope["path"]
        if not path.endswith(self._suffix) or not path.startswith(self._prefix) or scope["method"] not in self._methods:
            return None
        parameter = path[len(self._prefix) : -len(self._suffix)]
        return None if "/" in parameter or scope["root_path"] else parameter


class LeanMiddleware:
    """Asks the function of an operation first."""

    def __init__(self, app: ASGIApp, *, operations: Iterable[LeanOperation]) -> None:
        self.app = app
        self._operations = list(operations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation, parameter = self._addressed(scope) if scope["type"] == "http" else (None, "")
        if operation is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = operation.route
        headers = dict(scope["headers"])
        if not _has_short_json(headers) or scope["app"].dependency_overrides:
            await self.app(scope, receive, send)
            return
        received = [await receive()]
        while received[-1].get("more_body"):
            received.append(await receive())
        body = received[0].get("body", b"")
        if len(received) > 1:
            body = b"".join([message.get("body", b"") for message in received])
        try:
            answer = await operation.answer(scope, parameter, headers, body)
        except ProfileLookupError as error:
            refusal = await on_domain_error(Request(scope), error)
            await refusal(scope, receive, send)
            return
        if answer is None:
            await self.app(scope, _starting_with(received, receive), send)
            return
        raw_headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": operation.status, "headers": raw_headers})
        await send({"type": "http.response.body", "body": answer})

    def _addressed(self, scope: Scope) -> tuple[LeanOperation | None, str]:
        for operation in self._operations:
            if parameter := operation.parameter(scope):
                return operation, parameter
        return None, ""


def _has_short_json(headers: dict[bytes, bytes]) -> bool:
    """Less than 10,000 bytes: a longer one is nothing to hurry for."""
    length = headers.get(b"content-length", b"")
    return headers.get(b"content-type") == b"application/json" and length.isdigit() and len(length) <= _DIGITS


def _starting_with(received: list[Message], receive: Receive) -> Receive:
    waiting = received[::-1]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
