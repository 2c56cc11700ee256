"""How the service handles a body that nobody read, because its caller was refused.

The server discards a short body and keeps the connection open. It must not wait for a long one; but if it closed the
connection with bytes unread, TCP would reset it, and the client would see that instead of its answer. So the answer
says `Connection: close`, and what still arrives is discarded for a moment before the connection is closed.
"""

import asyncio
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from profile_lookup.web.body import announced_size, headers_of

MAX_DISCARDED = 64 << 10  # bytes; a longer body, or one whose length is not announced, ends the connection
LINGER = 1.0  # seconds


def may_be_long(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether the body of a request with these headers is, or may be, longer than `MAX_DISCARDED`."""
    size = announced_size(headers)
    return b"transfer-encoding" in headers if size is None else size > MAX_DISCARDED


class UnreadBodyMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and may_be_long(headers_of(scope)):
            await answer_then_discard(self._app, scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def answer_then_discard(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a request whose body may be long. If it is answered before the body was read, end the connection."""
    is_read = False
    has_to_close = False

    async def receive_and_note() -> Message:
        nonlocal is_read
        message = await receive()
        is_read = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def send_and_discard(message: Message) -> None:
        nonlocal has_to_close
        if message["type"] == "http.response.start" and not is_read:
            has_to_close = True
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        if message["type"] == "http.response.body" and has_to_close and not message.get("more_body", False):
            await send({**message, "more_body": True})  # the whole answer is sent, and the connection stays open
            await _discard(receive)
            message = {"type": "http.response.body", "body": b""}
        await send(message)

    await app(scope, receive_and_note, send_and_discard)


async def _discard(receive: Receive) -> None:
    try:
        async with asyncio.timeout(LINGER):
            while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                pass
    except TimeoutError:
        pass
