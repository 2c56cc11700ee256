"""Closes the listening sockets of a process after it has accepted all connections that wait there.

The kernel establishes connections by itself, and keeps them until the process accepts them. When the socket closes, it
resets those that still wait, although their clients may have sent requests already.
See docs/decisions/0071-connections-at-the-end.md.
"""

import asyncio
import ctypes
import multiprocessing
import os
import select
import socket
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

LONGEST_DRAIN = 1.0  # seconds; a process that has too many open files accepts nobody
_SO_ATTACH_FILTER = 26
_INSTRUCTIONS = (
    (0x30, 0, 0, 13),  # load the byte of the TCP flags
    (0x45, 0, 1, 0x02),  # if SYN is set, go on with the next instruction, else skip it
    (0x06, 0, 0, 0),  # drop the segment
    (0x06, 0, 0, 0xFFFFFFFF),  # accept the whole segment
)
_PROGRAM = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in _INSTRUCTIONS))


async def accept_waiting_and_close(servers: Iterable[asyncio.Server]) -> None:
    """Accept the connections that wait for each server, and then let it accept no more."""
    loop = asyncio.get_running_loop()
    for server in servers:
        for listener in server.sockets:
            _drop_new(listener.fileno())
        end = loop.time() + LONGEST_DRAIN
        while loop.time() < end and any(_has_waiting(each.fileno()) for each in server.sockets):  # noqa: ASYNC110
            await asyncio.sleep(0)  # the loop accepts some of them
        server.close()


def _has_waiting(listener: int) -> bool:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))


def _drop_new(listener: int) -> None:
    """Let the kernel of Linux drop what begins a connection, so that none is established between a look and the close.

    The client sends it again after a second, and is refused. Another process may go on to accept connections on this
    socket, if this one alone is restarted; then nothing is dropped.
    """
    if sys.platform != "linux":
        return
    program = struct.pack("HL", len(_INSTRUCTIONS), ctypes.addressof(_PROGRAM))
    with suppress(OSError), socket.socket(fileno=os.dup(listener)) as same:
        if not _is_kept_by_supervisor(listener):
            same.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _is_kept_by_supervisor(listener: int) -> bool:
    """Return whether the process that started this one has the socket open, too. It closes that when all have to stop.

    Raises `OSError` if this process may not know.
    """
    supervisor = multiprocessing.parent_process()
    if supervisor is None:
        return False
    inode = os.fstat(listener).st_ino
    return any(each.stat().st_ino == inode for each in Path(f"/proc/{supervisor.pid}/fd").iterdir())
