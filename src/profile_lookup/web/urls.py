"""Absolute addresses of this service, as its clients see it."""

from profile_lookup.errors import RequestRefused

_MAX_LENGTH = 400  # characters; with their path, the contract's addresses have 512


def base_url(public_url: str | None, origin: str) -> str:
    """Return `public_url`, or else the request's own origin, without a final slash. Raises `RequestRefused`."""
    chosen = public_url or origin.rstrip("/")
    if len(chosen) > _MAX_LENGTH:
        raise RequestRefused(f"Host: expected at most {_MAX_LENGTH} characters")
    return chosen


def operation_url(base_url: str, operation_id: str) -> str:
    return f"{base_url}/v1/ControlPlane/Operations/{operation_id}"


def results_url(base_url: str, operation_id: str) -> str:
    return f"{operation_url(base_url, operation_id)}/Results"
