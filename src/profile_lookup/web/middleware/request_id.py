"""The outermost middleware: it gives each request an ID, and each answer the headers that all answers have.

It answers a crash without any details but that ID.
"""

import asyncio
import logging
import re
import time
from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid4  # the standard library's calls the system each time, which takes 4 µs

from profile_lookup.errors import Unavailable
from profile_lookup.metrics.catalogue import REQUESTS
from profile_lookup.web.body import headers_of
from profile_lookup.web.connection import STARTED_AT
from profile_lookup.web.errors import answer_to, answer_to_crash
from profile_lookup.web.middleware.common_headers import OF_DATA, Header, common_headers

HEADERS = ("X-Request-Id", "Twilio-Request-Id")
"""Both have the ID: clients of the original read the second one."""

_NAMES = tuple(name.lower().encode() for name in HEADERS)
_SENT_BY_CALLER = _NAMES[0]
_SAFE = re.compile(rb"[A-Za-z0-9._:=/-]{1,128}")
"""An ID of these characters can be logged. White space, quotation marks, `@` and `+` are not among them."""

log = logging.getLogger(__name__)


def new_request_id() -> str:
    return f"RQ{uuid4().hex}"


def sent_request_id(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the ID that the caller sent as `X-Request-Id`, if there is one and it is safe."""
    sent = headers.get(_SENT_BY_CALLER)
    return None if sent is None or _SAFE.fullmatch(sent) is None else sent.decode()


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """Return the ID that the caller sent as `X-Request-Id`, if it is safe, or else a new one."""
    return sent_request_id(headers) or new_request_id()


def with_request_id(headers: Iterable[Header], request_id: str, common: Iterable[Header] = OF_DATA) -> list[Header]:
    """Return the headers of an answer, followed by those that all such answers have, and the ID of its request."""
    value = request_id.encode()
    return [*headers, *common, (_NAMES[0], value), (_NAMES[1], value)]


def operation_of(scope: Scope) -> str:
    """Return the ID of the operation that serves a request, or the name of the page; `unknown` if there is none."""
    route = scope.get("route")
    return getattr(route, "operation_id", None) or getattr(route, "name", None) or "unknown"


class RequestIdMiddleware:
    """Wraps even the framework's own middleware, so that no answer is sent without the ID of its request.

    A caller may choose the ID, so that its log and ours have the same one. An ID that has other characters than `_SAFE`
    is replaced: it could bring an e-mail address, or anything else, into the log.
    """

    def __init__(self, app: ASGIApp, *, log_requests: bool, is_measured: bool = False) -> None:
        self.app = app
        self.log_requests = log_requests
        self.is_measured = is_measured

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        request_id = state["request_id"] = request_id_of(headers_of(scope))
        started_at = state.get(STARTED_AT) or time.monotonic()
        status: int | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.get("headers", ())
                message["headers"] = with_request_id(headers, request_id, common_headers(scope["path"]))
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except asyncio.CancelledError:
            if status is None:  # the server stops, and the time to finish requests is up
                answer = await answer_to(scope, Unavailable("the service is shutting down"))
                await answer(scope, receive, send_with_id)
            raise
        except Exception:
            log.exception("request crashed", extra={"request_id": request_id})
            if status is not None:
                raise  # the answer has begun, so the connection can only be broken
            answer = await answer_to_crash(scope)
            await answer(scope, receive, send_with_id)
        finally:
            if self.is_measured:
                REQUESTS.of(operation_of(scope), str(status)).add(time.monotonic() - started_at)
            if self.log_requests:
                log.info(
                    "request",
                    extra={
                        "request_id": request_id,
                        "method": scope["method"],
                        "path": getattr(scope.get("route"), "path", None),
                        "status": status,
                        "milliseconds": round((time.monotonic() - started_at) * 1000, 3),
                    },
                )
