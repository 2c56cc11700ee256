"""A declared FastAPI operation, served without FastAPI's machinery of each request.

Routing, solving dependencies, validating and serializing take most of the time of a short operation. Before all that a
small function is asked. It answers what is usual, byte for byte as FastAPI would, or raises the `ProfileLookupError`
that FastAPI's handlers would have been given. For anything else it gives None, having changed nothing, and FastAPI
serves the request as if nobody had been asked.
"""

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from profile_lookup.errors import ProfileLookupError
from profile_lookup.web.errors import on_domain_error

LeanAnswer = Callable[[Scope, str, dict[bytes, bytes], bytes], Awaitable[bytes | None]]
"""The JSON body of a success, for a request with this parameter in its path, these headers and this body; or None."""

_MAX_LENGTH_DIGITS = 4


class LeanOperation:
    """A route with one parameter in its path, and text after it; and the function that answers."""

    def __init__(self, route: APIRoute, answer: LeanAnswer) -> None:
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

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            for operation in self._operations:
                if parameter := operation.parameter(scope):
                    return self._serve(operation, parameter, scope, receive, send)
        return self.app(scope, receive, send)

    async def _serve(
        self, operation: LeanOperation, parameter: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        scope["route"] = operation.route  # for the log of requests
        headers = dict(scope["headers"])
        is_usual = (
            _has_short_json(headers)
            and len(headers) == len(scope["headers"])  # of one that is repeated, FastAPI knows which counts
            and not scope["app"].dependency_overrides  # what tests put in place of a dependency, it knows as well
        )
        received = await _whole_body(receive) if is_usual else []
        if not is_usual or received[-1]["type"] != "http.request":  # the client has gone in the middle of it
            await self.app(scope, _starting_with(received, receive), send)
            return
        body: bytes = received[0].get("body", b"")
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


async def _whole_body(receive: Receive) -> list[Message]:
    received = [await receive()]
    while received[-1].get("more_body"):
        received.append(await receive())
    return received


def _has_short_json(headers: dict[bytes, bytes]) -> bool:
    """Less than 10,000 bytes: a longer one is nothing to hurry for."""
    length = headers.get(b"content-length", b"")
    return (
        headers.get(b"content-type") == b"application/json" and length.isdigit() and len(length) <= _MAX_LENGTH_DIGITS
    )


def _starting_with(received: list[Message], receive: Receive) -> Receive:
    waiting = received[::-1]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
