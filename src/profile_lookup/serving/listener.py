"""The socket that a service answers on."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from profile_lookup.errors import OperatorError

BACKLOG = 2048


class CannotListen(OperatorError):
    """The address cannot be listened on."""


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Return a socket that clients can connect to while the block runs. Raises `CannotListen`."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        dualstack = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=dualstack)
    except OSError as error:
        # `strerror` of a failed bind also names the address; a resolver's error has no errno with a text of its own.
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise CannotListen(f"Cannot listen on {host} port {port}: {reason}") from None
    with listener:
        yield listener


def address(host: str, port: int) -> str:
    """Return the URL that a client on this machine uses."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 -- compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
