"""HTTP Basic credentials: an API key's SID and secret, or an account's SID and auth token."""

import binascii
import hashlib
import secrets
import string
from collections.abc import MutableMapping
from typing import Any, NamedTuple

from profile_lookup.errors import Unauthenticated
from profile_lookup.identity.history.creation import Actor

_KEY_SID = "SK"
_SECRET_CHARACTERS = string.ascii_letters + string.digits
_SECRET_LENGTH = 43  # characters, each of which is almost 6 random bits


class Credentials(NamedTuple):
    """What a caller presented, not yet verified. It holds only the digest of the secret, as the database does."""

    sid: str
    secret_sha256: bytes

    def __repr__(self) -> str:
        return f"Credentials(sid={self.sid!r})"

    @property
    def actor(self) -> Actor:
        """Whom events name as the one who asked: the API key, or the account."""
        return Actor("key" if self.sid.startswith(_KEY_SID) else "account", self.sid)


def new_account_sid() -> str:
    return f"AC{secrets.token_hex(16)}"


def new_key_sid() -> str:
    return f"{_KEY_SID}{secrets.token_hex(16)}"


def new_secret() -> str:
    """Return 256 random bits as letters and digits.

    The Go SDK sends no request with a secret that has other characters, such as `-` and `_`.
    """
    return "".join(secrets.choice(_SECRET_CHARACTERS) for _ in range(_SECRET_LENGTH))


def is_sent_by_all_sdks(secret: str) -> bool:
    """Return whether a secret has letters and digits only, as those that `new_secret` returns."""
    return frozenset(_SECRET_CHARACTERS).issuperset(secret)


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def parse_basic(header: str | None) -> Credentials:
    """Return the credentials in an `Authorization` header (RFC 7617, UTF-8). Raises `Unauthenticated`."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        raise Unauthenticated
    try:
        decoded = binascii.a2b_base64(encoded.strip(), strict_mode=True).decode()
    except ValueError:  # it is not base64, not ASCII, or does not encode UTF-8
        raise Unauthenticated from None
    sid, separator, secret = decoded.partition(":")
    if not separator or "\0" in sid:
        raise Unauthenticated
    return Credentials(sid, digest(secret))


def parse_basic_cached(cache: MutableMapping[str, Any], header: bytes) -> Credentials:
    """Return the same as `parse_basic`, but decode and hash nothing if the last call with `cache` had the same header.

    `cache` lasts no longer than the connection (`web/connection.py`), so no secret stays in memory after it.
    """
    last: tuple[bytes, Credentials] | None = cache.get(_LAST)
    if last is not None and secrets.compare_digest(last[0], header):
        return last[1]
    credentials = parse_basic(header.decode("latin-1"))
    if len(header) <= _MAX_CACHED:
        cache[_LAST] = header, credentials
    return credentials


_LAST = "last credentials"
_MAX_CACHED = 512  # bytes; headers with credentials that we made have about 130
