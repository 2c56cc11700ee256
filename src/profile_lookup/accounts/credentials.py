"""HTTP Basic credentials: an API key's SID and secret, or an account's SID and auth token."""

import binascii
import hashlib
import secrets
from collections.abc import MutableMapping
from typing import Any, Literal, NamedTuple

from profile_lookup.errors import Unauthenticated

Scope = Literal["lookup", "full"]


class Credentials(NamedTuple):
    """What a caller presented; not verified. Of the secret it holds the digest, which is all that is stored."""

    sid: str
    secret_sha256: bytes

    def __repr__(self) -> str:
        return f"Credentials(sid={self.sid!r})"


def new_account_sid() -> str:
    return f"AC{secrets.token_hex(16)}"


def new_key_sid() -> str:
    return f"SK{secrets.token_hex(16)}"


def new_secret() -> str:
    """Return 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def parse_basic(header: str | None) -> Credentials:
    """Parse an `Authorization` header (RFC 7617, UTF-8). Raises `Unauthenticated`."""
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


def presented_over_connection(memory: MutableMapping[str, Any], header: bytes) -> Credentials:
    """Do as `parse_basic`, but do not decode and hash again what the same connection presented just before.

    `memory` lasts no longer than the connection (`web/connection.py`), so no secret stays in memory after it.
    """
    last: tuple[bytes, Credentials] | None = memory.get(_PRESENTED)
    if last is not None and secrets.compare_digest(last[0], header):
        return last[1]
    credentials = parse_basic(header.decode("latin-1"))
    if len(header) <= _MAX_REMEMBERED:
        memory[_PRESENTED] = header, credentials
    return credentials


_PRESENTED = "presented credentials"
_MAX_REMEMBERED = 512  # bytes: ours have some 130
