"""Sends the spans of this process by OTLP over HTTP, to where OpenTelemetry's own variables (`OTEL_…`) say."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event

from profile_lookup.errors import OperatorError
from profile_lookup.observation_settings import ObservationSettings
from profile_lookup.traces.spans import TRACING, statement_span

if TYPE_CHECKING:
    from sqlalchemy import Connection, ExceptionContext
    from sqlalchemy.engine.interfaces import ExecutionContext

_SPAN = "profile_lookup_span"


def verify_opentelemetry(settings: ObservationSettings) -> None:
    """Raise an `OperatorError` if the settings ask for traces and the packages for them are missing."""
    try:
        is_installed = not settings.traces or find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # a package around it is missing, too
        is_installed = False
    if not is_installed:
        raise OperatorError("Traces need OpenTelemetry: install profile-lookup[otel]")


@contextmanager
def traced(settings: ObservationSettings) -> Iterator[None]:
    """Trace this process while the block runs, if the settings say so. Raises `OperatorError` without the extra."""
    if not settings.traces:
        yield
        return
    verify_opentelemetry(settings)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    program = {"service.name": "profile-lookup", "service.version": version("profile-lookup")}
    provider = TracerProvider(resource=Resource.create(program))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    TRACING.tracer = provider.get_tracer("profile_lookup")
    listeners: dict[str, Callable[..., None]] = {
        "before_cursor_execute": _begin,
        "after_cursor_execute": _end,
        "handle_error": _fail,
    }
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)
        TRACING.tracer = None
        provider.shutdown()


def _begin(
    _connection: "Connection", _cursor: Any, sql: str, _parameters: Any, context: "ExecutionContext | None", _many: bool
) -> None:
    if context is not None:
        span = statement_span(sql)
        span.__enter__()
        vars(context)[_SPAN] = span


def _end(
    _connection: "Connection",
    _cursor: Any,
    _sql: str,
    _parameters: Any,
    context: "ExecutionContext | None",
    _many: bool,
) -> None:
    span = _taken_from(context)
    if span is not None:
        span.__exit__(None, None, None)


def _fail(failure: "ExceptionContext") -> None:
    span = _taken_from(failure.execution_context)
    if span is not None:
        error = failure.original_exception
        span.__exit__(type(error), error, error.__traceback__)


def _taken_from(context: "ExecutionContext | None") -> AbstractContextManager[object] | None:
    """Return the span that was begun with a statement, once."""
    return None if context is None else vars(context).pop(_SPAN, None)
