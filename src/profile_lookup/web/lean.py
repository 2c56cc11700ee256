"""A declared FastAPI operation, served without FastAPI's machinery of each request.

Solving dependencies, validating and serializing take most of the time of a short operation. A lean route asks a small
function first, which answers what is usual, byte for byte as FastAPI would have, or gives None; and then FastAPI serves
the request as if nothing had been asked. So the function knows no errors: whatever is odd has its answer there.
"""

from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive, Scope, Send

from profile_lookup.web.body import BodyLastRoute

Lean = Callable[[Scope, dict[bytes, bytes], bytes], Awaitable[bytes | None]]
"""The JSON body of a 200, for a request with these headers and this body; or None. FastAPI handles what it raises."""

_DIGITS = 4


def lean_route(answer: Lean) -> type[BodyLastRoute]:
    """The class of routes that ask `answer` first."""

    class LeanRoute(BodyLastRoute):
        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            headers = dict(scope["headers"])
            if scope["method"] not in (self.methods or ()) or not _has_short_json(headers):
                await super().handle(scope, receive, send)
                return
            received = [await receive()]
            while received[-1].get("more_body"):
                received.append(await receive())
            body = await answer(scope, headers, b"".join([message.get("body", b"") for message in received]))
            if body is None:
                await super().handle(scope, _starting_with(received, receive), send)
                return
            raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": raw_headers})
            await send({"type": "http.response.body", "body": body})

    return LeanRoute


def _has_short_json(headers: dict[bytes, bytes]) -> bool:
    """Less than 10,000 bytes: a longer one is nothing to hurry for."""
    length = headers.get(b"content-length", b"")
    return headers.get(b"content-type") == b"application/json" and length.isdigit() and len(length) <= _DIGITS


def _starting_with(received: list[Message], receive: Receive) -> Receive:
    waiting = received[::-1]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
