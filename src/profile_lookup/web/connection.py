"""What a request may know of the connection that it came over, if `serving/http_protocol.py` serves it."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

IS_CLOSING = "connection_is_closing"
MEMORY = "connection_memory"
"""Keys of the ASGI scope's `state`."""


def is_gone(scope: Mapping[str, Any]) -> Callable[[], bool] | None:
    """Return a function that tells whether the client has gone; None if the server does not know."""
    function: Callable[[], bool] | None = scope["state"].get(IS_CLOSING)
    return function


def memory_of(scope: Mapping[str, Any]) -> MutableMapping[str, Any]:
    """Return a dictionary that lasts as long as the client's connection, or for this request if there is none."""
    memory: MutableMapping[str, Any] = scope["state"].get(MEMORY, {})
    return memory
