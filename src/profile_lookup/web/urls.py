"""The absolute addresses of this service, as its clients see it."""

from typing import Literal

from profile_lookup.errors import RequestRefused

_TWILIO_ERROR_PAGES = "https://www.twilio.com/docs/api/errors"
EXAMPLE_BASE = "http://127.0.0.1:8000"
EXAMPLE_ERROR_PAGES = f"{EXAMPLE_BASE}/docs/errors"
"""Addresses in the examples of the documentation."""

_MAX_LENGTH = 400  # characters; the contract allows 512 for an address with its path


def base_url(public_url: str | None, origin: str) -> str:
    """Return `public_url`, or else the request's own origin, without a final slash. Raises `RequestRefused`."""
    chosen = public_url or origin.rstrip("/")
    if len(chosen) > _MAX_LENGTH:
        raise RequestRefused(f"Host: expected at most {_MAX_LENGTH} characters")
    return chosen


def error_pages(base_url: str, error_docs: Literal["service", "twilio"]) -> str:
    """Return the address of the pages that explain errors: each page is at this address, a slash and its code."""
    return f"{base_url}/docs/errors" if error_docs == "service" else _TWILIO_ERROR_PAGES


def operation_url(base_url: str, operation_id: str) -> str:
    return f"{base_url}/v1/ControlPlane/Operations/{operation_id}"


def results_url(base_url: str, operation_id: str) -> str:
    return f"{operation_url(base_url, operation_id)}/Results"
