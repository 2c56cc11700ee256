"""Records each request, and lets it fail or wait if a test has asked for that, before anything else handles it."""

import asyncio
from collections.abc import Iterable

from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from profile_lookup.accounts.credentials import parse_basic
from profile_lookup.errors import ProfileLookupError, ScopeMissing, TooManyRequests, Unauthenticated
from profile_lookup.testing.double import Double
from profile_lookup.testing.recording import Recording
from profile_lookup.testing.wire import Fault
from profile_lookup.web.body import headers_of
from profile_lookup.web.connection import abort_connection
from profile_lookup.web.contract import CODE_OF_STATUS
from profile_lookup.web.dependencies import error_pages_of
from profile_lookup.web.errors import answer_of, answer_to
from profile_lookup.web.wire import Error

PREFIX = "/testing/"
_WITH_RETRY_AFTER = (429, 503)
_USUAL_ERRORS: dict[int, ProfileLookupError] = {
    401: Unauthenticated(),
    403: ScopeMissing("read"),
    429: TooManyRequests(1),
}


class DoubleMiddleware:
    """It neither records nor affects requests for `/testing/…`."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute], double: Double) -> None:
        self._app = app
        self._routes = list(routes)
        self._faults = double.faults
        self._recordings = double.recordings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        method, path, template = scope["method"], scope["path"], self._template_of(scope)
        recording = self._recordings.start(method, path, template, _sid_in(scope))
        receive, send = _recorded(recording, receive, send)
        fault = self._faults.take(method, path, template)
        if fault is not None:
            await asyncio.sleep(fault.delay_seconds)
            if fault.drop_connection or fault.status is not None:
                await _fail(fault, scope, receive, send)
                return
        try:
            await self._app(scope, receive, send)
        except Exception:
            recording.status = recording.status or 500
            raise

    def _template_of(self, scope: Scope) -> str | None:
        for route in self._routes:
            if route.matches(scope)[0] == Match.FULL:
                return str(getattr(route, "path", "")) or None
        return None


def _sid_in(scope: Scope) -> str | None:
    try:
        return parse_basic(headers_of(scope).get(b"authorization", b"").decode("latin-1")).sid
    except Unauthenticated:
        return None


def _recorded(recording: Recording, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Return functions that do the same and record what passes through them."""

    async def receive_and_record() -> Message:
        message = await receive()
        recording.add(message.get("body", b""))
        return message

    async def send_and_record(message: Message) -> None:
        if message["type"] == "http.response.start":
            recording.status = message["status"]
        await send(message)

    return receive_and_record, send_and_record


async def _fail(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the contract's error body, or end the connection. The body is read first, as a real server would."""
    while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
        pass
    if fault.status is None:
        abort_connection(scope)
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    answer = await _answer(scope, fault.status)
    if fault.retry_after is not None or fault.status in _WITH_RETRY_AFTER:
        answer.headers["Retry-After"] = str(1 if fault.retry_after is None else fault.retry_after)
    await answer(scope, receive, send)


async def _answer(scope: Scope, status: int) -> Response:
    if status in _USUAL_ERRORS:
        return await answer_to(scope, _USUAL_ERRORS[status])
    code = CODE_OF_STATUS.get(status, 20000 + status)
    return answer_of(Error.of(status, code, "A test has asked for this answer", await error_pages_of(scope)))
