"""An ASGI application that reads the body and answers JSON of a requested size. It shows the limit of the server.

It uses no framework, no database and no credentials. The size is the query of the URL: `…/Lookup?101`.
"""

from functools import cache
from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    start, body = _answer(scope["query_string"])
    await send(start)
    await send(body)


@cache
def _answer(size: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    body = b'{"echo":"%b"}' % (b"." * (int(size or 0) - len('{"echo":""}')))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return (
        {"type": "http.response.start", "status": 200, "headers": headers},
        {"type": "http.response.body", "body": body},
    )


async def _live(receive: Any, send: Any) -> None:
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})
