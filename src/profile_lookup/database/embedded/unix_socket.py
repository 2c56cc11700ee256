"""Where the server's Unix socket is, and whether a server answers there."""

import hashlib
import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

_LONGEST_DIRECTORY = 88  # bytes: sun_path has 104 on macOS, and the socket is called .s.PGSQL.5432
_SSL_REQUEST = bytes.fromhex("00000008 04d2162f")


def socket_directory(data: Path) -> str:
    """Return the directory of the socket: that of the data, unless its path is too long or has unusual characters."""
    path = str(data)
    # A comma separates the hosts of a URL.
    if len(path) <= _LONGEST_DIRECTORY and path.isascii() and path.isprintable() and "," not in path:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return f"{tempfile.gettempdir()}/profile-lookup-{digest}"


def answers(socket_directory: str) -> bool:
    """Return whether a PostgreSQL answers. One that was killed may accept a connection, but it does not answer."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        client.connect(f"{socket_directory or os.devnull}/.s.PGSQL.5432")
        client.sendall(_SSL_REQUEST)
        return client.recv(1) == b"N"
    return False
