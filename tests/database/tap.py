"""A tap on the wire to PostgreSQL. It records what a connection really sends, including transaction control."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit


@dataclass
class Tap:
    url: str
    sent: list[str] = field(default_factory=list)
    """One entry per round trip: the text of a simple query, or `(prepared)` if a prepared one is executed."""
    connections: int = 0


@asynccontextmanager
async def tapped(database_url: str) -> AsyncIterator[Tap]:
    """Forward TCP connections to the Unix socket of `database_url`, and record what they send."""
    parts = urlsplit(database_url)
    socket_path = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
    tap = Tap(url="")

    async def connected(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        tap.connections += 1
        server, to_server = await asyncio.open_unix_connection(socket_path)
        backwards = asyncio.create_task(_copy(server, to_client))
        try:
            await _forward(client, to_server, tap.sent)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client hung up
        finally:
            to_server.close()
            await backwards

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    tap.url = f"postgresql://postgres@127.0.0.1:{port}{parts.path}?sslmode=disable"
    try:
        yield tap
    finally:
        listener.close()


async def _forward(client: asyncio.StreamReader, to_server: asyncio.StreamWriter, sent: list[str]) -> None:
    length = await client.readexactly(4)
    to_server.write(length + await client.readexactly(int.from_bytes(length) - 4))  # the startup message has no type
    while True:
        head = await client.readexactly(5)
        body = await client.readexactly(int.from_bytes(head[1:]) - 4)
        match head[:1]:
            case b"Q":
                sent.append(body.rstrip(b"\0").decode())
            case b"E":
                sent.append("(prepared)")
        to_server.write(head + body)
        await to_server.drain()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(1 << 16):
        sink.write(chunk)
        await sink.drain()
    sink.close()
