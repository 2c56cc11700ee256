"""Operations that must be fast: declared and documented by FastAPI, called without its machinery of each request.

To route, solve dependencies, validate and serialize takes most of the time of a short operation. A `HotRoute` hands
its endpoint the raw request instead, and sends the JSON that the endpoint returns. All requests of the operation go
this one way: usual ones, odd ones and those that are refused.
"""

from collections.abc import Awaitable, Iterable
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from profile_lookup.errors import ProfileLookupError, RequestRefused
from profile_lookup.web import connection
from profile_lookup.web.body import USUAL_LIMITS, BodyLimits, ContractRoute, read_json_body
from profile_lookup.web.dependencies import services_of
from profile_lookup.web.errors import logged_answer_to
from profile_lookup.web.unread_body import answer_then_discard, may_be_long

if TYPE_CHECKING:
    from profile_lookup.services import Services


class HotRequest(Request):
    """A request as it came. Nothing of its body is read before the endpoint asks for it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        # Of a header that is repeated the first counts, as everywhere in FastAPI.
        self.raw_headers: dict[bytes, bytes] = dict(scope["headers"][::-1])
        self._body_or_refusal: bytes | RequestRefused | None = None

    @property
    def services(self) -> "Services":
        return services_of(self.scope)

    @property
    def is_gone(self) -> Any:
        """A function that tells whether the client has gone; None if the server does not know."""
        return connection.is_gone(self.scope)

    @cached_property
    def may_be_long(self) -> bool:
        """Whether the body is, or may be, longer than what is read of a caller whose admission is not fresh."""
        return may_be_long(self.raw_headers)

    async def json_body(self, limits: BodyLimits = USUAL_LIMITS) -> bytes:
        """Return the body, unparsed; raise what `read_json_body` raises. Every call has the first one's outcome."""
        if self._body_or_refusal is None:
            try:
                self._body_or_refusal = await read_json_body(self.raw_headers, self.receive, limits)
            except RequestRefused as refusal:
                self._body_or_refusal = refusal
        if isinstance(self._body_or_refusal, RequestRefused):
            raise self._body_or_refusal
        return self._body_or_refusal


class HotRoute(ContractRoute):
    """A route with one parameter in its path, and text after it.

    Its endpoint takes a `HotRequest` and that parameter, and returns the JSON of a success, or raises a
    `ProfileLookupError`. What it depends on by its declaration is documented, and not solved.
    """

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._prefix, _, rest = path.partition("{")
        self._parameter, _, self._suffix = rest.partition("}")
        self._status = self.status_code or HTTPStatus.OK
        self.app = self.serve

    def matched(self, scope: Scope) -> bool:
        """Return whether the request is for this route, and then note its parameter as Starlette would."""
        path: str = scope["path"]
        if not path.endswith(self._suffix) or not path.startswith(self._prefix):
            return False
        value = path[len(self._prefix) : -len(self._suffix)]
        if not value or "/" in value or scope["method"] not in (self.methods or ()) or scope["root_path"]:
            return False
        scope["route"] = self
        scope["path_params"] = {self._parameter: value}
        return True

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HotRequest(scope, receive)
        if request.may_be_long:
            await answer_then_discard(self._answer_raw, scope, receive, send)
        else:
            await self._answer(request, send)

    async def _answer_raw(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(HotRequest(scope, receive), send)

    async def _answer(self, request: HotRequest, send: Send) -> None:
        scope = request.scope
        try:
            answer: bytes = await self.endpoint(request, scope["path_params"][self._parameter])
        except ProfileLookupError as error:
            await logged_answer_to(error, scope["state"]["request_id"])(scope, request.receive, send)
            return
        headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


class HotRoutesMiddleware:
    """Looks for the hot routes before the framework does."""

    def __init__(self, app: ASGIApp, *, routes: Iterable[HotRoute]) -> None:
        self._app = app
        self._routes = list(routes)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            for route in self._routes:
                if route.matched(scope):
                    return route.serve(scope, receive, send)
        return self._app(scope, receive, send)
