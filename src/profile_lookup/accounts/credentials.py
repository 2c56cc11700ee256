"""HTTP Basic credentials: an API key's SID and secret, or an account's SID and auth token."""

import binascii
import hashlib
import secrets
from typing import Annotated, Literal, NamedTuple

from fastapi import Depends, Request
from fastapi.security.http import HTTPBase
from starlette.types import Scope as AsgiScope

from profile_lookup.errors import Unauthenticated
from profile_lookup.serving.http_protocol import memory_of_connection

Scope = Literal["lookup", "full"]


class Credentials(NamedTuple):
    """As presented; not verified. Of the secret it holds the digest, which is all that is stored."""

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


def parse_basic(header: str | None) -> Credentials:
    """Read an `Authorization` header (RFC 7617, UTF-8). Raises `Unauthenticated`."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        raise Unauthenticated
    try:
        decoded = binascii.a2b_base64(encoded.strip(), strict_mode=True).decode()
    except ValueError:  # not base64, not ASCII, or not UTF-8 within
        raise Unauthenticated from None
    sid, separator, secret = decoded.partition(":")
    if not separator or "\0" in sid:
        raise Unauthenticated
    return Credentials(sid, digest(secret))


def presented_over_connection(scope: AsgiScope, header: bytes) -> Credentials:
    """As `parse_basic`, but what was presented over the same connection just before is not decoded and hashed again.

    Only that is remembered, and not for longer than the connection lasts: no secret stays in memory.
    """
    memory = memory_of_connection(scope)
    remembered: tuple[bytes, Credentials] | None = memory.get(_PRESENTED)
    if remembered is not None and secrets.compare_digest(remembered[0], header):
        return remembered[1]
    credentials = parse_basic(header.decode("latin-1"))
    if len(header) <= _MAX_REMEMBERED:
        memory[_PRESENTED] = header, credentials
    return credentials


_PRESENTED = "presented credentials"
_MAX_REMEMBERED = 512  # bytes: ours have some 130

_basic = HTTPBase(
    scheme="basic",
    scheme_name="basic",
    description="An API key's SID and secret, or an account's SID and auth token.",
    auto_error=False,
)


async def presented_credentials(request: Request, _documented: Annotated[object, Depends(_basic)]) -> Credentials:
    return parse_basic(request.headers.get("Authorization"))


PresentedCredentials = Annotated[Credentials, Depends(presented_credentials)]
