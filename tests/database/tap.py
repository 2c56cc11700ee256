"""A tap on the wire to PostgreSQL. It records what a connection really sends, including transaction control."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, urlsplit


@dataclass
class Tap:
    url: str
    sent: list[str] = field(default_factory=list)
    """One entry per round trip: the text of a simple query, or `(prepared)` if a prepared one is executed."""
    connections: int = 0
    flows: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, the tap is silent, as a lost host is: it accepts connections, and nothing gets through."""


@asynccontextmanager
async def tapped(database_url: str) -> AsyncIterator[Tap]:
    """Forward TCP connections to the server of `database_url`, and record what they send."""
    parts = urlsplit(database_url)
    tap = Tap(url="")
    tap.flows.set()

    async def connected(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        tap.connections += 1
        server, to_server = await _connect(parts)
        backwards = asyncio.create_task(_copy(server, to_client, tap.flows))
        try:
            await _forward(client, to_server, tap)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client hung up
        finally:
            to_server.close()
            backwards.cancel()
            to_client.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    credentials, _, _ = parts.netloc.rpartition("@")
    tap.url = f"postgresql://{credentials}@127.0.0.1:{port}{parts.path}?sslmode=disable"
    try:
        yield tap
    finally:
        listener.close()


async def _connect(parts: SplitResult) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if parts.hostname is not None:
        return await asyncio.open_connection(parts.hostname, parts.port or 5432)
    (directory,) = parse_qs(parts.query)["host"]
    return await asyncio.open_unix_connection(f"{directory}/.s.PGSQL.5432")


async def _forward(client: asyncio.StreamReader, to_server: asyncio.StreamWriter, tap: Tap) -> None:
    length = await client.readexactly(4)
    await tap.flows.wait()
    to_server.write(length + await client.readexactly(int.from_bytes(length) - 4))  # the startup message has no type
    while True:
        head = await client.readexactly(5)
        body = await client.readexactly(int.from_bytes(head[1:]) - 4)
        match head[:1]:
            case b"Q":
                tap.sent.append(body.rstrip(b"\0").decode())
            case b"E":
                tap.sent.append("(prepared)")
        await tap.flows.wait()
        to_server.write(head + body)
        await to_server.drain()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, flows: asyncio.Event) -> None:
    while chunk := await source.read(1 << 16):
        await flows.wait()
        sink.write(chunk)
        await sink.drain()
    sink.close()
