"""What the OpenAPI description of every operation shares: error answers with examples, and common headers."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from profile_lookup import errors
from profile_lookup.web.body import USUAL_LIMITS
from profile_lookup.web.errors import CRASH
from profile_lookup.web.request_id import HEADER as REQUEST_ID
from profile_lookup.web.wire import Error

Responses = dict[int | str, dict[str, Any]]

_DESCRIPTIONS = {
    400: "Something in the request is not what was expected; the message says what was.",
    401: "No credentials, or wrong ones.",
    403: "The API key may not do this; of an upload: its address is not, or no longer, right.",
    404: "There is no such thing, or not in this account.",
    409: "It would contradict something that is already there.",
    412: "The resource has changed since the ETag that `If-Match` gives.",
    413: "The request body is too large.",
    415: "The request body is not JSON.",
    429: "Too many requests. Reserved by the contract; this version sets no rate limit and never sends it.",
    500: "A defect of the service; the log has more under the answer's X-Request-Id.",
    503: "The database is away, overloaded or too slow. Nothing was done, unless the message says that it may have "
    "been: then a create may be repeated, and before another write is repeated, look whether it was done.",
}

_EVERYWHERE = (
    Error.of(429, 20429, "Too many requests. Please retry according to the Retry-After response header."),
    CRASH,
    Error.of_domain(errors.Unavailable()),
)
_WITH_CREDENTIALS = (Error.of_domain(errors.Unauthenticated()), Error.of_domain(errors.ScopeMissing()))


def header(kind: str, description: str, *, required: bool = True, **facets: Any) -> dict[str, Any]:
    """`required`: whether every answer of its status has it."""
    return {"description": description, "required": required, "schema": {"type": kind, **facets}}


ETAG = {"ETag": header("string", "Of this state, for `If-Match`.", maxLength=512)}
"""For `answer`."""


def request_example(body: Any) -> dict[str, Any]:
    """For `openapi_extra`."""
    return {"requestBody": {"content": {"application/json": {"example": body}}}}


def answer(description: str, example: Any, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """For `responses`: one that is not an error."""
    return {
        "description": description,
        "headers": headers or {},
        "content": {"application/json": {"example": example}},
    }


def error_answers(
    *specific: errors.ProfileLookupError,
    has_body: bool,
    max_body: int = USUAL_LIMITS.size,
    needs_credentials: bool = True,
) -> Responses:
    """All error answers of an operation: `specific` ones, each as it is sent, and those that every operation has."""
    of_body = (errors.BodyTooLarge(max_body), errors.MediaTypeRefused()) if has_body else ()
    examples = [Error.of_domain(error) for error in (*specific, *of_body)]
    examples += _WITH_CREDENTIALS if needs_credentials else ()
    answers: Responses = {}
    for example in sorted((*examples, *_EVERYWHERE), key=lambda error: error.status):
        answer = answers.setdefault(
            example.status,
            {
                "model": Error,
                "description": _DESCRIPTIONS[example.status],
                "content": {"application/json": {"examples": {}}},
            },
        )
        shown = answer["content"]["application/json"]["examples"]
        shown[f"{example.code}-{len(shown) + 1}"] = {
            "summary": example.message,
            "value": example.model_dump(),
        }
    if needs_credentials:
        answers[401]["headers"] = {"WWW-Authenticate": header("string", "`Basic`")}
    for status in (429, 503):
        answers[status]["headers"] = {"Retry-After": header("string", "Seconds to wait.", pattern="^[0-9]+$")}
    return answers


def describe(app: FastAPI, tags: Sequence[dict[str, str]], routes: Sequence[BaseRoute]) -> None:
    """Serve an OpenAPI document of what the contract allows: without the 422 that FastAPI adds, which is never sent."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                license_info=app.license_info,
                routes=app.routes,
                tags=list(tags),
            )
            _put_nulls_back(document, routes)
            for path in document["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
                    for response in operation["responses"].values():
                        response.setdefault("headers", {})[REQUEST_ID] = header("string", "Names this request.")
            for unused in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(unused, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents


def _put_nulls_back(document: dict[str, Any], routes: Sequence[BaseRoute]) -> None:
    """FastAPI takes null out of examples, also where the schema wants it."""
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema and route.methods:
            operation = document["paths"][route.path][min(route.methods).lower()]
            for status, response in route.responses.items():
                for media_type, content in response.get("content", {}).items():
                    if "example" in content:
                        operation["responses"][str(status)]["content"][media_type]["example"] = content["example"]
