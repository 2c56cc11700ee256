"""What a request can find out about its connection, if `serving/http_protocol.py` serves it."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

IS_CLOSING = "connection_is_closing"
CACHE = "connection_cache"
"""Keys of the ASGI scope's `state`."""

ABORT = "abort"
"""The key in a connection's cache of the function that ends the connection at once."""


def is_gone(scope: Mapping[str, Any]) -> Callable[[], bool] | None:
    """Return a function that returns whether the client has gone; None if the server does not know."""
    function: Callable[[], bool] | None = scope["state"].get(IS_CLOSING)
    return function


def connection_cache(scope: Mapping[str, Any]) -> MutableMapping[str, Any]:
    """Return a dictionary that lasts as long as the client's connection, or a new one if the server keeps none."""
    cache: MutableMapping[str, Any] = scope["state"].get(CACHE, {})
    return cache


def abort_connection(scope: Mapping[str, Any]) -> None:
    """End the client's connection at once, if the server knows how."""
    abort = connection_cache(scope).get(ABORT)
    if abort is not None:
        abort()
