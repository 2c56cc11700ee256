"""Request bodies: they are read after the caller was admitted, limited in size and number of values, and then parsed.

FastAPI would read and parse a declared body before it solves any dependency. Here a body is itself a dependency.
Dependencies are solved in the order of the endpoint's parameters, so the body is not read if one before it refuses the
request. Parameters that are no dependencies, such as a header, are validated after all of these, so they stand after
the body. See docs/decisions/0005-what-is-checked-first.md.
"""

import email.message
from collections.abc import Mapping
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from fastapi import Depends, Request
from fastapi.dependencies.utils import get_parameterless_sub_dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.types import Message, Receive, Scope

from profile_lookup.errors import (
    BodyTooLarge,
    ContentEncodingRefused,
    MediaTypeRefused,
    RequestRefused,
    SettingsRefused,
    TooManyValues,
)
from profile_lookup.web.dependencies import query_names, readmit, refuse_unknown_query
from profile_lookup.web.json_text import parse_json
from profile_lookup.web.wire import OURS, mistakes_in

Model = TypeVar("Model", bound=BaseModel)
Refusal = type[RequestRefused] | type[SettingsRefused]


class BodyLimits(NamedTuple):
    """`size` is in bytes. `values` limits the commas and opening brackets, which are counted before parsing.

    Parsing a megabyte of `[{},{},…` takes half a second, in which no other request is served, and thirty times its
    size in memory.
    """

    size: int = 1 << 20
    values: int = 100_000


USUAL_LIMITS = BodyLimits()
ADMITTED_FOR = 1.0
"""Seconds that a body may take to arrive before its caller, who may have lost access since, is admitted again."""
_SHORT_DIGITS = 4  # no limit is below 10,000 bytes
_HEADERS = "headers"  # the key of the scope's `state`
_READ_BODY = "profile_lookup.read_body"  # the key of the bytes in a request's scope


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers of a request, made once. If one is repeated, the first counts, as everywhere in FastAPI."""
    state = scope["state"]
    headers: dict[bytes, bytes] | None = state.get(_HEADERS)
    if headers is None:
        headers = state[_HEADERS] = dict(scope["headers"][::-1])
    return headers


def announced_size(headers: Mapping[bytes, bytes]) -> int | None:
    """Return the size that a request announces for its body, or None if it announces none."""
    announced = headers.get(b"content-length", b"")
    # Zeros may precede it, as many as a client likes. More than 20 digits are too many for any limit.
    return int(announced.lstrip(b"0")[:20] or b"0") if announced.isdigit() else None


async def read_json_body(headers: Mapping[bytes, bytes], receive: Receive, limits: BodyLimits = USUAL_LIMITS) -> bytes:
    """Return the body of a request that declares it as JSON. `headers` are those that `headers_of` returns.

    Raises `MediaTypeRefused`, `ContentEncodingRefused`, `BodyTooLarge` (before anything is read, if the length is
    announced), `TooManyValues`, and `RequestRefused` if there is no body or the connection ends before the body does.
    """
    if len(headers.get(b"content-length", b"")) > _SHORT_DIGITS and (announced_size(headers) or 0) > limits.size:
        raise BodyTooLarge(limits.size)
    message = await receive()
    body: bytes = message.get("body", b"")
    is_whole = not message.get("more_body", False)
    # Nearly every body arrives whole, and has fewer bytes than it may have values.
    if is_whole and 0 < len(body) <= limits.values and headers.get(b"content-type") == b"application/json":
        if b"content-encoding" in headers:
            refuse_compressed(headers)
        return body
    part = _part_of(message)
    while part.has_more and not part.body:
        part = _part_of(await receive())
    if not part.body:
        raise RequestRefused("body: Field required")
    refuse_compressed(headers)
    if not is_json(headers.get(b"content-type", b"").decode("latin-1")):
        raise MediaTypeRefused
    values = values_in(part.body)
    _refuse_beyond(limits, len(part.body), values)
    if not part.has_more:
        return part.body
    received = bytearray(part.body)
    while part.has_more:
        part = _part_of(await receive())
        received += part.body
        values += values_in(part.body)
        _refuse_beyond(limits, len(received), values)
    return bytes(received)


def refuse_compressed(headers: Mapping[bytes, bytes]) -> None:
    """Raise `ContentEncodingRefused` if the headers say that the body is encoded in any way."""
    if headers.get(b"content-encoding", b"").strip().lower() not in (b"", b"identity"):
        raise ContentEncodingRefused


class _Part(NamedTuple):
    body: bytes
    has_more: bool


def _part_of(message: Message) -> _Part:
    """Raises `RequestRefused` if the client has gone."""
    if message["type"] != "http.request":
        raise RequestRefused("body: the connection ended before the body did")
    return _Part(message.get("body", b""), message.get("more_body", False))


def values_in(part: bytes) -> int:
    return part.count(b",") + part.count(b"[") + part.count(b"{")


def _refuse_beyond(limits: BodyLimits, size: int, values: int) -> None:
    if size > limits.size:
        raise BodyTooLarge(limits.size)
    if values > limits.values:
        raise TooManyValues(limits.values)


def is_json(content_type: str) -> bool:
    """Return whether it is `application/json` or `application/…+json`, with any parameters and in any letter case.

    See RFC 9110 and RFC 6839.
    """
    if content_type == "application/json":
        return True
    message = email.message.Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))


def validated(model: type[Model], body: bytes, refusal: Refusal = RequestRefused) -> Model:
    """Return the body as a model. Raises `RequestRefused` if it is no JSON, and `refusal` if it does not fit the model.

    Both say what was wrong and never quote the body.
    """
    return fitted(model, parse_json(body), refusal)


def fitted(model: type[Model], sent: object, refusal: Refusal = RequestRefused) -> Model:
    """Return what was sent as a model. Raises `refusal`, which never quotes what was sent, if it does not fit."""
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        raise refusal(mistakes_in(error, "body")) from None


class JsonBody:
    """A dependency that reads the body and validates it with a model. `refusal` is raised if it does not fit.

    It keeps the body in the request's scope, because a request for a merged profile may be served twice.
    """

    def __init__(self, model: type[BaseModel], limits: BodyLimits, refusal: Refusal) -> None:
        self.model = model
        self.limits = limits
        self.refusal = refusal

    async def __call__(self, request: Request) -> Any:
        scope = request.scope
        if _READ_BODY not in scope:
            began = monotonic()
            scope[_READ_BODY] = await read_json_body(headers_of(scope), request.receive, self.limits)
            if monotonic() - began > ADMITTED_FOR:
                await readmit(scope)
        return await self.parsed(scope[_READ_BODY])

    async def parsed(self, body: bytes) -> Any:
        return validated(self.model, body, self.refusal)


def json_body(model: type[BaseModel], limits: BodyLimits = USUAL_LIMITS, refusal: Refusal = RequestRefused) -> Any:
    """Return the dependency of the parameter that takes an endpoint's body.

    Declare it as `body: Annotated[Model, json_body(Model)]`, after the parameters that admit the caller.
    """
    return Depends(JsonBody(model, limits, refusal))


class ContractRoute(APIRoute):
    """A route that documents the body that a `JsonBody` among its dependencies reads.

    An operation that is ours refuses unknown query parameters, after all else; the published contract ignores them.
    """

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        for dependency in self.dependant.dependencies:
            if isinstance(dependency.call, JsonBody):
                self.body_field = _body_field_of(dependency.call.model)
        self.query_names = query_names(self.dependant)
        if OURS.items() <= (self.openapi_extra or {}).items():
            last = Depends(refuse_unknown_query)
            self.dependant.dependencies.append(get_parameterless_sub_dependant(depends=last, path=self.path_format))


def _body_field_of(model: type[BaseModel]) -> Any:
    """Return the body field that FastAPI makes for an endpoint that declares the model as its body."""

    async def endpoint(body: Any) -> None: ...

    endpoint.__annotations__["body"] = model
    return APIRoute("/", endpoint).body_field
