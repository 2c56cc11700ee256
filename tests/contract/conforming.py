"""An ASGI transport for httpx that checks every answer of the service against our OpenAPI document."""

import json
import re
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
from jsonschema import Draft202012Validator, FormatChecker

from tests.contract.documents import Json, Operation, operations, our_openapi, ours

FORMATS = FormatChecker(())

NEVER_UNDOCUMENTED = {
    "X-Request-Id", "Twilio-Request-Id", "ETag", "Location", "Operation-Id", "Canonical-Profile-Id", "WWW-Authenticate", "Retry-After",
    "Content-Disposition", "Accept-Encoding",
}  # fmt: skip


REQUEST_ID = "RQ[0-9a-f]{32}|sent-[A-Za-z0-9._:=/-]{1,123}"
"""An ID of ours, or one that a test sent."""


class ConformingTransport(httpx.ASGITransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        content = await answer.aread()
        check(request.method, request.url.path, answer.status_code, answer.headers, content)
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=httpx.ByteStream(content), extensions=answer.extensions
        )


def check(method: str, path: str, status: int, headers: httpx.Headers, content: bytes) -> None:
    """Raises `AssertionError` or `ValidationError` if the answer does not conform to the document."""
    summary = f"{method} {path}: {status} {content[:1000]!r}"
    assert re.fullmatch(REQUEST_ID, headers["X-Request-Id"]), summary
    assert headers["Twilio-Request-Id"] == headers["X-Request-Id"], summary
    assert headers.get("X-Content-Type-Options") == "nosniff", summary
    assert headers.get("Cache-Control") == (None if path.startswith("/docs") else "no-store"), summary
    operation = _operation_of(method, path)
    if operation is not None:
        _check_documented(operation, status, headers, content, summary)
    elif status >= 400 and method != "HEAD":
        assert headers["Content-Type"] == "application/json", summary
        _error_validator().validate(json.loads(content))


def _check_documented(operation: Operation, status: int, headers: httpx.Headers, content: bytes, summary: str) -> None:
    response = operation.description["responses"].get(str(status))
    assert response is not None, f"{summary}: an undocumented status"
    for name, header in response["headers"].items():
        if name in headers:
            _validator(operation.id, status, name).validate(_of_type(header["schema"]["type"], headers[name]))
        else:
            assert not header["required"], f"{summary}: no {name}"
    undocumented = {name for name in NEVER_UNDOCUMENTED if name in headers} - response["headers"].keys()
    assert not undocumented, f"{summary}: {undocumented}"
    media_types = response.get("content")
    if media_types is None:
        assert not content, summary
        return
    (media_type,) = media_types
    if media_type != "application/json":
        assert headers["Content-Type"] == f"{media_type}; charset=utf-8", summary
        return
    assert headers["Content-Type"] == media_type, summary
    body = json.loads(content)
    _validator(operation.id, status, None).validate(body)
    if status >= 400:
        examples = response["content"]["application/json"]["examples"].values()
        assert body["code"] in {example["value"]["code"] for example in examples}, f"{summary}: an undocumented code"
        assert body["status"] == status, summary


@cache
def _routes() -> list[tuple[str, re.Pattern[str], Operation]]:
    """Return the operations with fixed names before those with a parameter in the same place, which is `{…`."""
    return [
        (operation.method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", operation.path)), operation)
        for operation in sorted(operations(ours()).values(), key=lambda operation: operation.path)
    ]


def _operation_of(method: str, path: str) -> Operation | None:
    """Return the first operation that matches, as the service does, or None if the document has no such operation."""
    return next((found for verb, route, found in _routes() if verb == method and route.fullmatch(path)), None)


@cache
def _validator(operation_id: str, status: int, header: str | None) -> Draft202012Validator:
    response: Json = operations(ours())[operation_id].description["responses"][str(status)]
    described = response["content"]["application/json"] if header is None else response["headers"][header]
    return Draft202012Validator(described["schema"], format_checker=FORMATS)


@cache
def _error_validator() -> Draft202012Validator:
    return Draft202012Validator(our_openapi()["components"]["schemas"]["Error"])


def _of_type(kind: str, header: str) -> Any:
    return int(header) if kind == "integer" and header.isdecimal() else header


@FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    """Accept UTC with whole seconds, because the official SDKs parse nothing finer."""
    return not isinstance(value, str) or bool(datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC))


@FORMATS.checks("uri", raises=ValueError)
def _is_absolute(value: object) -> bool:
    return not isinstance(value, str) or all(urlsplit(value)[:2])
