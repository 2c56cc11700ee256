"""Operations that must be fast: FastAPI declares and documents them, but does not handle their requests.

Routing, solving dependencies, validating and serializing take most of the time of a short operation. A `HotRoute`
passes the raw request to its endpoint instead, and sends the JSON that the endpoint returns. All requests of such an
operation are handled in this way: usual ones, odd ones and those that are refused.
"""

from collections.abc import Awaitable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from profile_lookup.errors import ProfileLookupError, RequestRefused
from profile_lookup.overload import LoadLimit, LoadLimits
from profile_lookup.web import connection
from profile_lookup.web.body import USUAL_LIMITS, BodyLimits, ContractRoute, headers_of, read_json_body
from profile_lookup.web.dependencies import services_of
from profile_lookup.web.errors import logged_answer_to
from profile_lookup.web.middleware.common_headers import Header
from profile_lookup.web.middleware.unread_body import answer_then_discard, may_be_long

if TYPE_CHECKING:
    from profile_lookup.services import Services


_SHORT_DIGITS = 4  # less than 10,000 bytes


def json_headers(length: bytes) -> list[Header]:
    """Return the headers of a JSON answer of so many bytes."""
    return [(b"content-length", length), (b"content-type", b"application/json")]


class HotRequest(HTTPConnection):
    """A raw request. Its body is not read before the endpoint calls `json_body`.

    `load_limit`: the limit that counts the request.
    `may_be_long`: whether the body is, or may be, so long that it is read only if the caller was admitted just now.
    """

    load_limit: LoadLimit

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope)
        self.receive = receive
        self.raw_headers = headers_of(scope)
        announced = self.raw_headers.get(b"content-length", b"")
        is_short = len(announced) <= _SHORT_DIGITS and announced.isdigit()  # this decides nearly always
        self.may_be_long = not is_short and may_be_long(self.raw_headers)
        self._body_or_refusal: bytes | RequestRefused | None = None

    @property
    def services(self) -> "Services":
        return services_of(self.scope)

    @property
    def begun(self) -> Any:
        """The future outcome of the operation if the server has begun it already, else None."""
        return connection.begun(self.scope)

    @property
    def is_gone(self) -> Any:
        """A function that returns whether the client has gone; None if the server does not know."""
        return connection.is_gone(self.scope)

    async def json_body(self, limits: BodyLimits = USUAL_LIMITS) -> bytes:
        """Return the unparsed body. Raises what `read_json_body` raises. Every call has the outcome of the first."""
        outcome = self._body_or_refusal
        if outcome is None:
            self.load_limit.suspend()  # a slow client must not delay others
            try:
                outcome = await read_json_body(self.raw_headers, self.receive, limits)
            except RequestRefused as refusal:
                outcome = refusal
            finally:
                self.load_limit.resume()
            self._body_or_refusal = outcome
        if isinstance(outcome, RequestRefused):
            raise outcome
        return outcome


class HotRoute(ContractRoute):
    """A route with one parameter in its path, and text after it.

    Its endpoint takes a `HotRequest` and that parameter, and returns the JSON of a success, or raises a
    `ProfileLookupError`. Its declared dependencies are documented, but not solved.
    """

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._prefix, _, rest = path.partition("{")
        self._parameter, _, self._suffix = rest.partition("}")
        self._is_lookup = self._suffix.endswith("/Lookup")
        self._is_batch = self._suffix.endswith("/Lookup/Batch")
        self._status = self.status_code or HTTPStatus.OK
        self.app = self.serve_routed

    def parameter_in(self, scope: Scope) -> str | None:
        """Return the parameter in the path of a request for this route; None if it is for another route."""
        path: str = scope["path"]
        if not path.endswith(self._suffix) or not path.startswith(self._prefix):
            return None
        value = path[len(self._prefix) : -len(self._suffix)]
        if not value or "/" in value or scope["method"] not in (self.methods or ()) or scope["root_path"]:
            return None
        return value

    async def serve_routed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that Starlette has routed, as in an application that is mounted below a path."""
        await self.serve(scope["path_params"][self._parameter], scope, receive, send)

    def serve(self, parameter: str, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request whose path has this parameter."""
        scope["route"] = self  # for whatever names the operation
        scope["path_params"] = {self._parameter: parameter}
        request = HotRequest(scope, receive)
        if not request.may_be_long:
            return self._answer(request, parameter, send)

        async def answer(_scope: Scope, receive: Receive, send: Send) -> None:
            request.receive = receive
            await self._answer(request, parameter, send)

        return answer_then_discard(answer, scope, receive, send)

    async def _answer(self, request: HotRequest, parameter: str, send: Send) -> None:
        try:
            limit = request.load_limit = self._limit_of(request.services.load_limits)
            if request.begun is None:
                limit.begin(is_late=connection.was_held_back(request.scope))
            else:
                limit.resume()
            try:
                answer: bytes = await self.endpoint(request, parameter)
            finally:
                limit.end()
        except ProfileLookupError as error:
            refusal = await logged_answer_to(request.scope, error)
            await refusal(request.scope, request.receive, send)
            return
        headers = json_headers(b"%d" % len(answer))
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _limit_of(self, limits: LoadLimits) -> LoadLimit:
        if self._is_batch:
            return limits.lookup_batches
        return limits.lookups if self._is_lookup else limits.creates


class HotRoutesMiddleware:
    """Serves the requests for hot routes, and passes all others on to the framework."""

    def __init__(self, app: ASGIApp, *, routes: Iterable[HotRoute]) -> None:
        self._app = app
        self._routes = list(routes)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            for route in self._routes:
                if parameter := route.parameter_in(scope):
                    return route.serve(parameter, scope, receive, send)
        return self._app(scope, receive, send)
