"""What a request can find out about its connection, if `serving/http_protocol.py` serves it."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

IS_CLOSING = "connection_is_closing"
CACHE = "connection_cache"
"""Keys of the ASGI scope's `state`."""
BEGUN = "begun"
"""The key of the same `state` for the future outcome of an operation that began before the application was called."""
STARTED_AT = "started_at"
"""The key of the same `state` for the monotonic time at which such an operation began."""

VERIFIED = "verified"
"""The key of the same `state` for whether the credentials of a request were found to be right. It may be missing."""

CALLER = "caller"
"""The key of the same `state` for the SID of an admitted caller, who need not have sent an `Authorization` header."""
SHOWN_PROFILES = "shown_profiles"
"""The key of the same `state` for the IDs of the profiles that a page shows."""

ADMITTING_PATHS = ("/v1/", "/console")
"""How the paths begin of requests that may query who sends them. Other pages and health checks query nothing."""

ABORT = "abort"
HOLD_BACK = "hold_back"
NOTE_ADMISSION = "note_admission"
"""Keys of a connection's cache. The values are the server's functions that `abort_connection`, `hold_back` and
`note_admission` call."""

WAS_HELD_BACK = "was_held_back"
"""A key of a connection's cache. It is there while requests may arrive that were sent while nothing was read."""


def is_gone(scope: Mapping[str, Any]) -> Callable[[], bool] | None:
    """Return a function that returns whether the client has gone; None if the server does not know."""
    function: Callable[[], bool] | None = scope["state"].get(IS_CLOSING)
    return function


def begun(scope: Mapping[str, Any]) -> Any:
    """Return the future outcome of the operation if the server has begun it already, else None."""
    return scope["state"].get(BEGUN)


def connection_cache(scope: Mapping[str, Any]) -> MutableMapping[str, Any]:
    """Return a dictionary that lasts as long as the client's connection, or a new one if the server keeps none."""
    cache: MutableMapping[str, Any] = scope["state"].get(CACHE, {})
    return cache


def abort_connection(scope: Mapping[str, Any]) -> None:
    """End the client's connection at once, if the server knows how."""
    abort = connection_cache(scope).get(ABORT)
    if abort is not None:
        abort()


def hold_back(scope: Mapping[str, Any], seconds: float) -> None:
    """Read nothing more from the client for some seconds after its answer, if the server knows how."""
    function = connection_cache(scope).get(HOLD_BACK)
    if function is not None:
        function(seconds)


def was_held_back(scope: Mapping[str, Any]) -> bool:
    """Return whether the request may have been sent while nothing was read from its connection."""
    return WAS_HELD_BACK in connection_cache(scope)


def is_strangers(scope: Mapping[str, Any]) -> bool:
    """Return whether nobody has been admitted yet for whom the request may come, so that it has a stranger's turn."""
    return NOTE_ADMISSION in connection_cache(scope)


def note_admission(scope: Mapping[str, Any], *, by_credentials: bool = True) -> None:
    """Let the server know that a caller was admitted on this connection, unless it knows: it is no stranger's then.

    Whoever was admitted by a secret address presents no credentials, or some that nobody has verified.
    """
    scope["state"][VERIFIED] = by_credentials
    note = connection_cache(scope).pop(NOTE_ADMISSION, None)
    if note is not None:
        note()
