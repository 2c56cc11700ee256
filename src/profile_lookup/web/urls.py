"""Absolute addresses of this service, as its clients see it."""

from typing import Annotated

from fastapi import Depends, Request


def _base_url(request: Request) -> str:
    """`PUBLIC_URL`, or the request's own origin; without a final slash."""
    public_url: str | None = request.app.state.settings.public_url
    return (public_url or str(request.base_url)).rstrip("/")


BaseUrl = Annotated[str, Depends(_base_url)]


def operation_url(base_url: str, operation_id: str) -> str:
    return f"{base_url}/v1/ControlPlane/Operations/{operation_id}"
