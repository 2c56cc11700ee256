"""Every error answer: its body, its headers, and the handlers that turn a raised error into an answer."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Scope

from profile_lookup import errors
from profile_lookup.metrics.catalogue import UNAVAILABLE
from profile_lookup.web.connection import VERIFIED, hold_back
from profile_lookup.web.contract import CODE_OF_STATUS, CRASH_CODE, CRASH_MESSAGE, CRASH_STATUS
from profile_lookup.web.dependencies import error_pages_of, services_of
from profile_lookup.web.failed_credentials import count_failure
from profile_lookup.web.wire import Error, mistakes

_HEADERS: dict[type[errors.ProfileLookupError], dict[str, str]] = {
    errors.Unauthenticated: {"WWW-Authenticate": 'Basic realm="profile-lookup", charset="UTF-8"'},
    errors.Unavailable: {"Retry-After": "1"},
    errors.ContentEncodingRefused: {"Accept-Encoding": "identity"},
}

_OF_VERIFIED_CALLERS = (errors.StoreIdMalformed, errors.StoreNotFound, errors.StoreNotActive, errors.ScopeMissing)
"""Errors that nobody gets whose credentials are wrong."""

_METHODS_OF_FILES = ("GET", "HEAD")

ErrorPage = Callable[[Scope, Error, Mapping[str, str]], Awaitable[Response | None]]
"""Returns the page that people see instead of an error's body; None if the path of the request is not for people.

The page gets the headers of the answer, too.
"""


def answer_of(error: Error, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return an answer with this body."""
    return JSONResponse(error.model_dump(), error.status, headers)


def answer_with(error: errors.ProfileLookupError, error_pages: str) -> JSONResponse:
    """Return the answer to a request that this error ended. `error_pages` is the address of the pages about errors."""
    if isinstance(error, errors.Unavailable):
        UNAVAILABLE.add(error.reason)
    return answer_of(Error.of_domain(error, error_pages), _headers_of(error))


def _headers_of(error: errors.ProfileLookupError) -> Mapping[str, str] | None:
    if isinstance(error, errors.TooManyRequests):
        return {"Retry-After": str(error.retry_after)}
    return next((_HEADERS[kind] for kind in type(error).__mro__ if kind in _HEADERS), None)


async def answer_to(scope: Scope, error: errors.ProfileLookupError) -> Response:
    """Return the answer to the request with this scope, which this error ended."""
    if isinstance(error, errors.Unavailable):
        UNAVAILABLE.add(error.reason)
    return await _shown(scope, Error.of_domain(error, await error_pages_of(scope)), _headers_of(error))


async def answer_to_crash(scope: Scope) -> Response:
    """Return the answer to a request that hit a defect of the service. It says nothing about the defect."""
    return await _shown(scope, Error.of(CRASH_STATUS, CRASH_CODE, CRASH_MESSAGE, await error_pages_of(scope)))


async def _shown(scope: Scope, error: Error, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with this body, or the page that people see instead of it."""
    error_page: ErrorPage | None = scope["app"].state.error_page
    page = None if error_page is None else await error_page(scope, error, headers or {})
    return page or answer_of(error, headers)


def install_error_handlers(app: FastAPI, error_page: ErrorPage | None) -> None:
    app.state.error_page = error_page
    app.add_exception_handler(errors.ProfileLookupError, _on_domain_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_parameters)
    app.add_exception_handler(HTTPException, _on_framework_error)


async def logged_answer_to(scope: Scope, error: errors.ProfileLookupError) -> Response:
    """Return the answer. If the service could not do its work, log a warning, at most one a second.

    Wrong credentials are counted. If too many came from the client's address, the answer is 429 instead of 401. Right
    ones of a caller who may not do this are noted for the audit log.
    """
    if isinstance(error, _OF_VERIFIED_CALLERS):
        scope["state"].setdefault(VERIFIED, True)
    if isinstance(error, errors.Unauthenticated):
        error = count_failure(scope) or error
    if isinstance(error, errors.Unavailable):
        refusals = services_of(scope).load_limits.refusals
        refusals.log(error, scope["state"]["request_id"])
        if isinstance(error, errors.Overloaded):
            hold_back(scope, refusals.pause())
    return await answer_to(scope, error)


async def _on_domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ProfileLookupError)
    return await logged_answer_to(request.scope, error)


async def _on_invalid_parameters(request: Request, error: Exception) -> Response:
    """Answer with FastAPI's reason for refusing a parameter, but without the value that the client sent."""
    assert isinstance(error, RequestValidationError)
    return await answer_to(request.scope, errors.RequestRefused(mistakes(error.errors())))


async def _on_framework_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = CODE_OF_STATUS.get(error.status_code, 20000 + error.status_code)
    headers = error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:  # Starlette names only the methods of one route
        headers = {"Allow": ", ".join(_methods_of_path(request) or _METHODS_OF_FILES)}
    error_pages = await error_pages_of(request.scope)
    return await _shown(request.scope, Error.of(error.status_code, code, error.detail, error_pages), headers)


def _methods_of_path(request: Request) -> list[str]:
    """Return the methods of all routes that have the path of the route which was found; none if it leads to files."""
    found = request.scope.get("route")
    if not isinstance(found, Route):
        return []
    routes = [route for route in request.app.routes if isinstance(route, Route) and route.path == found.path]
    return sorted({method for route in routes for method in route.methods or ()})
