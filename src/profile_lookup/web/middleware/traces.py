"""Makes a span of each request, as a child of the caller's span if it sent `traceparent`."""

from opentelemetry.trace import StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from profile_lookup.traces.spans import TRACING, request_span
from profile_lookup.web.body import headers_of
from profile_lookup.web.middleware.request_id import operation_of

_NAMES = ("traceparent", "tracestate")
_PROPAGATOR = TraceContextTextMapPropagator()
_SERVER_ERRORS = 500


class TraceMiddleware:
    """The span has the operation's ID as its name. It holds neither path nor query, which may have values."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tracer = TRACING.tracer
        if scope["type"] != "http" or tracer is None:
            await self._app(scope, receive, send)
            return
        sent = headers_of(scope)
        carrier = {name: sent[name.encode()].decode("latin-1") for name in _NAMES if name.encode() in sent}
        with request_span(tracer, "request", _PROPAGATOR.extract(carrier)) as span:

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= _SERVER_ERRORS:
                        span.set_status(StatusCode.ERROR)
                await send(message)

            try:
                await self._app(scope, receive, send_and_note)
            finally:
                span.update_name(operation_of(scope))
                span.set_attribute("http.request.method", scope["method"])
                span.set_attribute("http.route", getattr(scope.get("route"), "path", ""))
                span.set_attribute("profile_lookup.request_id", scope["state"]["request_id"])
