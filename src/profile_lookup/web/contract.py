"""The contract's statuses and codes: the one table that maps an error's type to what a client sees of it.

It needs no web framework, because operations fail with the same codes, and a worker runs them without a framework.
"""

from http import HTTPStatus

from profile_lookup import errors

STATUS_AND_CODE: dict[type[errors.ProfileLookupError], tuple[int, int]] = {
    errors.RequestRefused: (400, 520046),
    errors.StoreIdMalformed: (400, 520049),
    errors.OperationIdMalformed: (400, 520051),
    errors.BodyTooLarge: (413, 20413),
    errors.MediaTypeRefused: (415, 20415),
    errors.ContentEncodingRefused: (415, 20415),
    errors.RowRefused: (400, 520010),
    errors.IdentifierRefused: (400, 520046),
    errors.TraitsRefused: (400, 520005),
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
"""A type that is missing here has the status and code of its nearest ancestor that is listed."""

CRASH_STATUS, CRASH_CODE = 500, 20500
CRASH_MESSAGE = "Internal Server Error"
"""The answer to a request that hit a defect of the service. Only the log says what it was."""

CODE_OF_STATUS = {400: 520046, 404: 20404, 405: 20405, 413: 20413, 415: 20415, 429: 20429}
"""The codes of requests that the web framework refuses by itself, by HTTP status."""

STATUS_OF_CODE = {
    **{code: status for status, code in STATUS_AND_CODE.values()},
    **{code: status for status, code in CODE_OF_STATUS.items()},
    CRASH_CODE: CRASH_STATUS,
}
"""Every code that an answer can have. `docs/explanations.py` explains each."""

_STATUS_OF_FORMER_CODE = {520063: 400}
"""Codes that earlier versions had: results of batches that they stored are still answered."""

MAX_MESSAGE = 1024  # characters


def status_and_code_of(error: errors.ProfileLookupError) -> tuple[int, int]:
    """Return the HTTP status and the contract's code of an error."""
    return next(STATUS_AND_CODE[kind] for kind in type(error).__mro__ if kind in STATUS_AND_CODE)


def code_of(error: errors.ProfileLookupError) -> int:
    """Return the contract's code of an error."""
    return status_and_code_of(error)[1]


def message_of(error: errors.ProfileLookupError) -> str:
    """Return the message for the client, cut to the length that the contract allows."""
    return str(error)[:MAX_MESSAGE]


def status_of(code: int) -> int:
    """Return the HTTP status that goes with a code, also with a former one; 500 for a code that never was."""
    return (STATUS_OF_CODE | _STATUS_OF_FORMER_CODE).get(code, CRASH_STATUS)


def title_of(code: int) -> str:
    """Return the words for the HTTP status that goes with a code, such as `Not Found`."""
    return HTTPStatus(status_of(code)).phrase


def more_info(code: int, error_pages: str) -> str:
    """Return the address of the page that explains a code. `error_pages` is the address of all such pages."""
    return f"{error_pages}/{code}"
