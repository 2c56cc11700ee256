"""Absolute addresses of this service, as its clients see it."""

from typing import Annotated

from fastapi import Depends, Request

from profile_lookup.errors import RequestRefused

_MAX_LENGTH = 400  # the contract's addresses have 512 with their path


def base_url_of(request: Request) -> str:
    """`PUBLIC_URL`, or the request's own origin; without a final slash. Raises `RequestRefused`."""
    public_url: str | None = request.app.state.settings.public_url
    base_url = public_url or str(request.base_url).rstrip("/")
    if len(base_url) > _MAX_LENGTH:
        raise RequestRefused(f"Host: expected at most {_MAX_LENGTH} characters")
    return base_url


async def _base_url(request: Request) -> str:
    return base_url_of(request)


BaseUrl = Annotated[str, Depends(_base_url)]


def operation_url(base_url: str, operation_id: str) -> str:
    return f"{base_url}/v1/ControlPlane/Operations/{operation_id}"


def results_url(base_url: str, operation_id: str) -> str:
    return f"{operation_url(base_url, operation_id)}/Results"
