"""Request bodies: read after the caller was admitted, bounded by size and by number of values, then parsed.

FastAPI would read and parse a declared body before it solves any dependency. Here a body is itself a dependency, the
last one of its endpoint, so the order of an endpoint's parameters is the order of its answers: whoever is refused by
an earlier one has sent a body in vain. See docs/decisions/0005-what-is-checked-first.md.
"""

import json
from collections.abc import Mapping
from email.message import Message
from typing import Any, NamedTuple, TypeVar

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.types import Receive

from profile_lookup.errors import BodyTooLarge, MediaTypeRefused, RequestRefused, TooManyValues
from profile_lookup.web.wire import mistakes_in

Model = TypeVar("Model", bound=BaseModel)


class BodyLimits(NamedTuple):
    """`size` in bytes. `values` bounds the commas and opening brackets, which are counted before anything is parsed.

    To parse a megabyte of `[{},{},…` takes half a second, in which nobody else is served, and thirty times its size.
    """

    size: int = 1 << 20
    values: int = 100_000


USUAL_LIMITS = BodyLimits()


async def read_json_body(headers: Mapping[Any, Any], receive: Receive, limits: BodyLimits = USUAL_LIMITS) -> bytes:
    """Return the body of a request that says it is JSON. Its headers' names and values may be bytes, as ASGI's.

    Raises `MediaTypeRefused`, `BodyTooLarge` (before anything is read, if the length is announced), `TooManyValues`,
    and `RequestRefused` if there is no body or the client stops in its middle.
    """
    announced = _text(headers, "content-length")
    if announced.isdecimal() and int(announced[:20]) > limits.size:
        raise BodyTooLarge(limits.size)
    part = await _next_part(receive)
    while part.has_more and not part.body:
        part = await _next_part(receive)
    if not part.body:
        raise RequestRefused("body: Field required")
    if not _is_json(_text(headers, "content-type")):
        raise MediaTypeRefused
    values = _values_in(part.body)
    _refuse_beyond(limits, len(part.body), values)
    if not part.has_more:
        return part.body
    body = bytearray(part.body)
    while part.has_more:
        part = await _next_part(receive)
        body += part.body
        values += _values_in(part.body)
        _refuse_beyond(limits, len(body), values)
    return bytes(body)


class _Part(NamedTuple):
    body: bytes
    has_more: bool


async def _next_part(receive: Receive) -> _Part:
    message = await receive()
    if message["type"] != "http.request":
        raise RequestRefused("body: the connection ended before the body did")
    return _Part(message.get("body", b""), message.get("more_body", False))


def _values_in(part: bytes) -> int:
    return part.count(b",") + part.count(b"[") + part.count(b"{")


def _refuse_beyond(limits: BodyLimits, size: int, values: int) -> None:
    if size > limits.size:
        raise BodyTooLarge(limits.size)
    if values > limits.values:
        raise TooManyValues(limits.values)


def _text(headers: Mapping[Any, Any], name: str) -> str:
    """Return a header of Starlette's headers, or of raw ones; empty if there is none."""
    value = headers.get(name) or headers.get(name.encode()) or ""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _is_json(content_type: str) -> bool:
    """`application/json` or `application/…+json`, whatever its parameters and letter case (RFC 9110, RFC 6839)."""
    if content_type == "application/json":
        return True
    message = Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))


def parse_json(body: bytes) -> Any:
    """Raises `RequestRefused`."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        position = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise RequestRefused(f"body: expected JSON; it is malformed{position}") from None


def _refuse_constant(_name: str) -> None:
    """Python reads NaN and Infinity, which JSON does not have."""
    raise ValueError


def validated(model: type[Model], body: bytes) -> Model:
    """Return the body as a model. Raises `RequestRefused`, which names what was wrong and never quotes it."""
    parsed = parse_json(body)
    try:
        return model.model_validate(parsed)
    except ValidationError as error:
        raise RequestRefused(mistakes_in(error, "body")) from None


class JsonBody:
    """A dependency that reads the body and validates it by a model."""

    def __init__(self, model: type[BaseModel], limits: BodyLimits = USUAL_LIMITS) -> None:
        self.model = model
        self.limits = limits

    async def __call__(self, request: Request) -> BaseModel:
        return validated(self.model, await read_json_body(request.headers, request.receive, self.limits))


def json_body(model: type[BaseModel], limits: BodyLimits = USUAL_LIMITS) -> Any:
    """Return what the parameter of an endpoint that takes a body depends on.

    It is declared as `body: Annotated[Model, json_body(Model)]`, after the parameters that admit the caller.
    """
    return Depends(JsonBody(model, limits))


class ContractRoute(APIRoute):
    """A route whose documentation knows the body that a `JsonBody` among its dependencies reads."""

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        for dependency in self.dependant.dependencies:
            if isinstance(dependency.call, JsonBody):
                self.body_field = _declared(dependency.call.model)


def _declared(model: type[BaseModel]) -> Any:
    """Return the body field of a route that declares the model as FastAPI knows it."""

    async def endpoint(body: Any) -> None: ...

    endpoint.__annotations__["body"] = model
    return APIRoute("/", endpoint).body_field
