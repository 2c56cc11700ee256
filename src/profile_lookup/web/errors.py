"""Every error answer: the one table from error type to status and code, and the body they all share."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Self

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from profile_lookup import errors
from profile_lookup.web.body import why_unreadable

STATUS_AND_CODE: dict[type[errors.ProfileLookupError], tuple[int, int]] = {
    errors.RequestRefused: (400, 520046),
    errors.StoreIdMalformed: (400, 520049),
    errors.OperationIdMalformed: (400, 520051),
    errors.BodyTooLarge: (413, 20413),
    errors.MediaTypeRefused: (415, 20415),
    errors.IdentifierRefused: (400, 520046),
    errors.TraitsRefused: (400, 520005),
    errors.TraitValueRefused: (400, 520063),
    errors.SettingsRefused: (400, 520024),
    errors.DefinitionProtected: (400, 520050),
    errors.StoreLimitReached: (400, 520044),
    errors.TraitGroupLimitReached: (400, 520053),
    errors.TraitLimitReached: (400, 520054),
    errors.Unauthenticated: (401, 20003),
    errors.ScopeMissing: (403, 403),
    errors.UploadRefused: (403, 403),
    errors.NotFound: (404, 20404),
    errors.StoreNotFound: (404, 520041),
    errors.StoreNotActive: (404, 520042),
    errors.OperationNotFound: (404, 520052),
    errors.TraitGroupNotFound: (404, 520047),
    errors.NothingToReplace: (404, 520014),
    errors.NothingToRemove: (404, 520017),
    errors.StoreNameTaken: (409, 520045),
    errors.TraitGroupNameTaken: (409, 520055),
    errors.Conflict: (409, 20409),
    errors.Outdated: (412, 520043),
    errors.Unavailable: (503, 20503),
}
"""A type that is not here answers like the nearest of its ancestors that is."""

_FRAMEWORK_CODES = {400: 520046, 404: 20404, 405: 20405, 413: 20413, 415: 20415}

_HEADERS: dict[type[errors.ProfileLookupError], dict[str, str]] = {
    errors.Unauthenticated: {"WWW-Authenticate": 'Basic realm="profile-lookup", charset="UTF-8"'},
    errors.Unavailable: {"Retry-After": "1"},
}

_MAX_MESSAGE = 1024
_MAX_FOUND = 10  # mistakes told at once

log = logging.getLogger(__name__)


def _status_of(code: int) -> int:
    return next((status for status, known in STATUS_AND_CODE.values() if known == code), 500)


def title_of(code: int) -> str:
    """The HTTP status that the code goes with, in words."""
    return HTTPStatus(_status_of(code)).phrase


def more_info(code: int) -> str:
    return f"https://www.twilio.com/docs/api/errors/{code}"


class Error(BaseModel):
    """The body of every error answer."""

    model_config = ConfigDict(extra="forbid")

    code: int = Field(ge=100, le=999999, description="What exactly was wrong.")
    message: str = Field(max_length=_MAX_MESSAGE, description="What was expected, for a person.")
    more_info: str = Field(description="Where the code is explained.")
    status: int = Field(ge=100, le=599, description="The HTTP status.")

    @classmethod
    def of(cls, status: int, code: int, message: str) -> Self:
        return cls(code=code, message=message[:_MAX_MESSAGE], more_info=more_info(code), status=status)

    @classmethod
    def of_code(cls, code: int, message: str) -> Self:
        """One that was noted earlier."""
        return cls.of(_status_of(code), code, message)

    @classmethod
    def of_domain(cls, error: errors.ProfileLookupError) -> Self:
        status, code = next(STATUS_AND_CODE[kind] for kind in type(error).__mro__ if kind in STATUS_AND_CODE)
        return cls.of(status, code, str(error))

    def answer(self, headers: Mapping[str, str] | None = None) -> JSONResponse:
        return JSONResponse(self.model_dump(), self.status, headers)


CRASH = Error.of(500, 20500, "Internal Server Error")
"""A defect: what it was, only the log tells."""


def answer_to(error: errors.ProfileLookupError) -> JSONResponse:
    headers = next((_HEADERS[kind] for kind in type(error).__mro__ if kind in _HEADERS), None)
    return Error.of_domain(error).answer(headers)


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(errors.ProfileLookupError, on_domain_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_framework_error)


async def on_domain_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.ProfileLookupError)
    if isinstance(error, errors.Unavailable):
        log.warning("unavailable", exc_info=error, extra={"request_id": request.state.request_id})
    return answer_to(error)


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    """What FastAPI found wrong, without what the client sent."""
    assert isinstance(error, RequestValidationError)
    unreadable = why_unreadable(request)
    if unreadable is not None:
        return answer_to(unreadable)
    if isinstance(error.body, bytes):  # FastAPI parses nothing but JSON
        return answer_to(errors.MediaTypeRefused())
    return answer_to(errors.RequestRefused(mistakes(error.errors())))


async def _on_framework_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _FRAMEWORK_CODES.get(error.status_code, 20000 + error.status_code)
    return Error.of(error.status_code, code, error.detail).answer(error.headers)


def mistakes(found: Sequence[Any]) -> str:
    """What pydantic found, in words. The first part of each place is what all of it is in, as the body."""
    return "; ".join(f"{_place(each['loc'])}: {_reason(each)}" for each in found[:_MAX_FOUND])


def _reason(found: Mapping[str, Any]) -> str:
    """What pydantic says, but where it repeats what was sent."""
    if found["type"] == "union_tag_invalid":
        return f"Input should be one of {found['ctx']['expected_tags']}"
    return str(found["msg"])


def _place(location: Sequence[str | int]) -> str:
    names = [str(part) if isinstance(part, int) else errors.nameable(part) for part in location[1:]]
    return ".".join(names) or str(location[0])
