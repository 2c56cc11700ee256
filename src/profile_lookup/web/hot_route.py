"""Operations that must be fast: FastAPI declares and documents them, but does not handle their requests.

Routing, solving dependencies, validating and serializing take most of the time of a short operation. A `HotRoute`
passes the raw request to its endpoint instead, and sends the JSON that the endpoint returns. All requests of such an
operation are handled in this way: usual ones, odd ones and those that are refused.
"""

from collections.abc import Awaitable, Iterable
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from profile_lookup.errors import ProfileLookupError, RequestRefused
from profile_lookup.web import connection
from profile_lookup.web.body import USUAL_LIMITS, BodyLimits, ContractRoute, headers_of, read_json_body
from profile_lookup.web.dependencies import services_of
from profile_lookup.web.errors import logged_answer_to
from profile_lookup.web.unread_body import answer_then_discard, may_be_long

if TYPE_CHECKING:
    from profile_lookup.services import Services


class HotRequest(Request):
    """A raw request. Its body is not read before the endpoint calls `json_body`."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self.raw_headers = headers_of(scope)
        self._body_or_refusal: bytes | RequestRefused | None = None

    @property
    def services(self) -> "Services":
        return services_of(self.scope)

    @property
    def is_gone(self) -> Any:
        """A function that returns whether the client has gone; None if the server does not know."""
        return connection.is_gone(self.scope)

    @cached_property
    def may_be_long(self) -> bool:
        """Whether the body is, or may be, so long that it is read only if the caller was admitted just now."""
        return may_be_long(self.raw_headers)

    async def json_body(self, limits: BodyLimits = USUAL_LIMITS) -> bytes:
        """Return the unparsed body. Raises what `read_json_body` raises. Every call has the outcome of the first."""
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
    `ProfileLookupError`. Its declared dependencies are documented, but not solved.
    """

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._prefix, _, rest = path.partition("{")
        self._parameter, _, self._suffix = rest.partition("}")
        self._status = self.status_code or HTTPStatus.OK
        self.app = self.serve

    def matched(self, scope: Scope) -> bool:
        """Return whether the request is for this route. If so, save its parameter in `scope` as Starlette would."""
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
    """Serves the requests for hot routes, and passes all others on to the framework."""

    def __init__(self, app: ASGIApp, *, routes: Iterable[HotRoute]) -> None:
        self._app = app
        self._routes = list(routes)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            for route in self._routes:
                if route.matched(scope):
                    return route.serve(scope, receive, send)
        return self._app(scope, receive, send)
