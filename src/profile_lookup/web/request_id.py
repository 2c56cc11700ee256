"""The outermost middleware: it gives each request an ID, and answers a crash without any details but that ID."""

import asyncio
import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid4  # the standard library's calls the system each time, which takes 4 µs

from profile_lookup.errors import Unavailable
from profile_lookup.web.errors import answer_to, answer_to_crash

HEADER = "X-Request-Id"
_RAW_HEADER = HEADER.lower().encode()

log = logging.getLogger(__name__)


def new_request_id() -> str:
    return f"RQ{uuid4().hex}"


class RequestIdMiddleware:
    """Wraps even the framework's own middleware, so that no answer is sent without an `X-Request-Id`.

    We always make the ID ourselves: one that a client chose could bring personal data into the log.
    """

    def __init__(self, app: ASGIApp, *, log_requests: bool) -> None:
        self.app = app
        self.log_requests = log_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        started_at = time.perf_counter()
        status: int | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_RAW_HEADER, request_id.encode())]
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
            if self.log_requests:
                log.info(
                    "request",
                    extra={
                        "request_id": request_id,
                        "method": scope["method"],
                        "path": getattr(scope.get("route"), "path", None),
                        "status": status,
                        "milliseconds": round((time.perf_counter() - started_at) * 1000, 3),
                    },
                )
