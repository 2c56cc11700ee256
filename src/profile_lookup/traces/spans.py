"""Spans, while this process is traced. Otherwise nothing of OpenTelemetry is loaded, and no span is made.

The text of an exception may quote a value, so a span holds its type alone.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind, Tracer

_VERB = re.compile(r"\b(select|insert|update|delete|merge|copy|lock|set|begin|commit|rollback)\b", re.IGNORECASE)
_OBJECT = re.compile(r"\b(?:from|into|update|join|table)\s+(?:only\s+)?([a-z_][a-z0-9_.]*)", re.IGNORECASE)
_COMMENT_OR_STRING = re.compile(r"--[^\n]*|'(?:[^']|'')*'")


class Tracing:
    """The tracer of this process, if there is one."""

    def __init__(self) -> None:
        self.tracer: Tracer | None = None


TRACING = Tracing()


@lru_cache(maxsize=1024)
def statement_name(sql: str) -> str:
    """Return the verb of a statement and what it reads or writes first, such as `select identifier`: never a value."""
    text = _COMMENT_OR_STRING.sub("", sql)
    verb, target = _VERB.search(text), _OBJECT.search(text)
    return " ".join([verb[1].lower() if verb else "statement", *([target[1].lower()] if target else [])])


def statement_span(sql: str) -> AbstractContextManager[object]:
    """Return a span of a statement, or nothing if this process is not traced."""
    tracer = TRACING.tracer
    if tracer is None:
        return nullcontext()
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    name = statement_name(sql)
    return _span(tracer, name, SpanKind.CLIENT, {"db.system.name": "postgresql", "db.query.summary": name})


def operation_span(kind: str) -> AbstractContextManager[object]:
    """Return a span of an operation that a worker does, or nothing if this process is not traced."""
    tracer = TRACING.tracer
    if tracer is None:
        return nullcontext()
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    return _span(tracer, f"operation {kind}", SpanKind.CONSUMER, {})


@contextmanager
def request_span(tracer: "Tracer", name: str, parent: "Context") -> "Iterator[Span]":
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    with _span(tracer, name, SpanKind.SERVER, {}, parent) as span:
        yield span


@contextmanager
def _span(
    tracer: "Tracer", name: str, kind: "SpanKind", attributes: Mapping[str, str], parent: "Context | None" = None
) -> "Iterator[Span]":
    from opentelemetry.trace import StatusCode  # noqa: PLC0415

    with tracer.start_as_current_span(
        name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise
