"""A transport that sends the head and the body of an answer, which uvicorn writes one after the other, together."""

import asyncio
from typing import Any


class OneSegmentTransport:
    """A transport that holds back the head of an answer until its body is written, or the answer ends without one."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self._write = transport.write
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        head = self._head
        if head is not None:
            self._head = None
            self._write(head + data)
        elif data.startswith(b"HTTP/1.1 2"):
            self._head = data
        else:
            self._write(data)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        if self._head is not None:
            head, self._head = self._head, None
            self._write(head)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
