"""What the OpenAPI descriptions of all operations share: error answers with examples, and common headers."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from profile_lookup import errors
from profile_lookup.web import ids
from profile_lookup.web.body import USUAL_LIMITS
from profile_lookup.web.contract import CRASH_CODE, CRASH_MESSAGE, CRASH_STATUS
from profile_lookup.web.middleware.request_id import HEADERS as REQUEST_ID_HEADERS
from profile_lookup.web.urls import EXAMPLE_ERROR_PAGES
from profile_lookup.web.wire import OURS, Error

Responses = dict[int | str, dict[str, Any]]

_DESCRIPTIONS = {
    400: "Something in the request is not as expected; the message says what was expected.",
    401: "The credentials are missing or wrong.",
    403: "The API key may not do this; or an upload's address is wrong or has expired.",
    404: "The resource does not exist, or does not belong to this account.",
    409: "The request would contradict something that already exists.",
    412: "The resource has changed: it no longer has the ETag in `If-Match`.",
    413: "The request body is too large.",
    415: "The request body is not JSON, or it is compressed.",
    429: "The API key or its account sends more requests than its limit allows, or too many operations are unfinished, "
    "or wrong credentials came too often from this address. Nothing was done.",
    500: "The service has a defect; its log says more about it under the answer's X-Request-Id.",
    503: "The database is unreachable, overloaded or too slow. Nothing was done, unless the message says that it may "
    "have been done. Then you may repeat a create; before you repeat any other write, check whether it was done.",
}


def _example(error: errors.ProfileLookupError) -> Error:
    return Error.of_domain(error, EXAMPLE_ERROR_PAGES)


_EVERYWHERE = (
    _example(errors.TooManyRequests(1)),
    Error.of(CRASH_STATUS, CRASH_CODE, CRASH_MESSAGE, EXAMPLE_ERROR_PAGES),
    _example(errors.Unavailable()),
)
_WITH_CREDENTIALS = (_example(errors.Unauthenticated()), _example(errors.ScopeMissing("read")))


def header(kind: str, description: str, *, required: bool = True, **facets: Any) -> dict[str, Any]:
    """Return the description of a header. `required` says whether every answer with its status has it."""
    return {"description": description, "required": required, "schema": {"type": kind, **facets}}


ETAG = {"ETag": header("string", "The ETag of this state, for `If-Match`.", maxLength=512)}
"""The headers of an answer with an ETag."""

CANONICAL_PROFILE_ID = "Canonical-Profile-Id"
_FOLLOWED = header(
    "string",
    "The ID of the canonical profile, if the request was for a merged one and `PROFILE_LOOKUP_FOLLOW_MERGED` is set "
    "**(ours)**.",
    required=False,
    pattern=ids.PROFILE_ID_PATTERN,
)


def request_example(body: Any) -> dict[str, Any]:
    """Return an example of a request body, for `openapi_extra`."""
    return {"requestBody": {"content": {"application/json": {"example": body}}}}


def answer(description: str, example: Any, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the description of an answer that is not an error, for `responses`."""
    return {
        "description": description,
        "headers": headers or {},
        "content": {"application/json": {"example": example}},
    }


def error_example(error: errors.ProfileLookupError) -> dict[str, Any]:
    """Return the body of an answer with this error, for an example."""
    return _example(error).model_dump()


def error_answers(
    *specific: errors.ProfileLookupError,
    has_body: bool,
    max_body: int = USUAL_LIMITS.size,
    needs_credentials: bool = True,
) -> Responses:
    """Return all error answers of an operation, for `responses`: `specific` ones and those that every operation has."""
    of_body = (errors.BodyTooLarge(max_body), errors.MediaTypeRefused(), errors.ContentEncodingRefused())
    examples = [_example(error) for error in (*specific, *(of_body if has_body else ()))]
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
    if (encoded := HTTPStatus.UNSUPPORTED_MEDIA_TYPE) in answers:
        answers[encoded]["headers"] = {
            "Accept-Encoding": header("string", "`identity`, if it is encoded.", required=False)
        }
    for status in (429, 503):
        answers[status]["headers"] = {"Retry-After": header("string", "Seconds to wait.", pattern="^[0-9]+$")}
    return answers


def describe(
    app: FastAPI, tags: Sequence[dict[str, str]], routes: Sequence[BaseRoute], *, public_url: str | None
) -> None:
    """Serve an OpenAPI document that lists these routes in this order.

    It has neither the 422 answers that FastAPI adds, because they are never sent, nor the titles that pydantic makes
    from names, because they say nothing new. Its server is `public_url`, or else the origin of the document.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                license_info=app.license_info,
                routes=routes,
                tags=list(tags),
                servers=[{"url": public_url or "/"}],
            )
            _remove_titles(document["paths"])
            _remove_titles(document["components"]["schemas"])
            _restore_nulls(document, routes)
            for path, path_operations in document["paths"].items():
                for operation in path_operations.values():
                    _complete(operation, is_of_profile="{profileId}" in path)
            for unused in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(unused, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents


def _complete(operation: dict[str, Any], *, is_of_profile: bool) -> None:
    """Describe the headers that every answer has. Mark the parameters that are ours."""
    operation["responses"].pop("422", None)
    for response in operation["responses"].values():
        headers = response.setdefault("headers", {})
        for name in REQUEST_ID_HEADERS:
            headers[name] = header("string", "The ID of this request.")
        if is_of_profile:
            headers.setdefault(CANONICAL_PROFILE_ID, _FOLLOWED)
    for parameter in operation.get("parameters", ()):
        if parameter["schema"].pop("x-ours", False) or "x-ours" in operation:  # FastAPI can only mark its schema
            parameter.update(OURS)


def _remove_titles(node: Any) -> None:
    """Remove the titles of schemas. A property that has the name `title` is a schema, not a text, and stays."""
    if isinstance(node, list):
        for each in node:
            _remove_titles(each)
    if isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        for name, each in node.items():
            if name not in {"example", "examples"}:
                _remove_titles(each)


def _restore_nulls(document: dict[str, Any], routes: Sequence[BaseRoute]) -> None:
    """Restore the nulls in examples. FastAPI removes them, even where the schema requires null."""
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema and route.methods:
            operation = document["paths"][route.path][min(route.methods).lower()]
            for status, response in route.responses.items():
                for media_type, content in response.get("content", {}).items():
                    if "example" in content:
                        operation["responses"][str(status)]["content"][media_type]["example"] = content["example"]
