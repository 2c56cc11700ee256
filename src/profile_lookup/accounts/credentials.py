"""HTTP Basic credentials: an API key's SID and secret, or an account's SID and auth token."""

import base64
import hashlib
import secrets
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

from fastapi import Depends, Request
from fastapi.security.http import HTTPBase

from profile_lookup.errors import Unauthenticated

Scope = Literal["lookup", "full"]


class Credentials(NamedTuple):
    """As presented; not verified. Only the digest of the secret is ever kept."""

    sid: str
    secret_sha256: bytes

    def __repr__(self) -> str:
        return f"Credentials(sid={self.sid!r})"


def new_account_sid() -> str:
    return f"AC{secrets.token_hex(16)}"


def new_key_sid() -> str:
    return f"SK{secrets.token_hex(16)}"


def new_secret() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


@lru_cache(maxsize=1000)  # callers present the same ones again and again
def parse_basic(header: str | None) -> Credentials:
    """Read an `Authorization` header (RFC 7617, UTF-8). Raises `Unauthenticated`."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        raise Unauthenticated
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:  # not base64, not ASCII, or not UTF-8 within
        raise Unauthenticated from None
    sid, separator, secret = decoded.partition(":")
    if not separator or "\0" in sid:
        raise Unauthenticated
    return Credentials(sid, digest(secret))


_basic = HTTPBase(
    scheme="basic",
    scheme_name="basic",
    description="An API key's SID and secret, or an account's SID and auth token.",
    auto_error=False,
)


async def presented_credentials(request: Request, _documented: Annotated[object, Depends(_basic)]) -> Credentials:
    return parse_basic(request.headers.get("Authorization"))


PresentedCredentials = Annotated[Credentials, Depends(presented_credentials)]
