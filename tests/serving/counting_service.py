"""A service that counts the lookups that are answered on their connection."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import ClassVar

import asyncpg
import uvicorn

from profile_lookup.services import Services
from profile_lookup.serving.lookup_protocol import LookupProtocol
from profile_lookup.serving.processes import uvicorn_config
from profile_lookup.settings import Settings
from tests.conftest import PATIENCE, WAITING
from tests.running_service import app_with_worker, running_server
from tests.serving.lookups import FOUND, LookupStore, make_lookup_store
from tests.serving.raw_http import answer_on, connected


class CountingProtocol(LookupProtocol):
    """Counts the lookups that are answered on their connection."""

    answered: ClassVar[int] = 0

    def _answer(self, body: bytes) -> None:
        CountingProtocol.answered += 1
        super()._answer(body)


class Service:
    def __init__(self, url: str, server: uvicorn.Server, store: LookupStore) -> None:
        self.url = url
        self.server = server
        self.store = store
        self.services: Services = server.config.loaded_app.state.services
        CountingProtocol.answered = 0

    @contextmanager
    def admitted(self) -> Iterator[socket.socket]:
        """Yield a connection on which the caller was admitted."""
        with connected(self.url) as connection:
            connection.sendall(self.store.lookup())
            assert answer_on(connection).status == 200
            yield connection

    def is_answered_directly(self, *headers: str, body: bytes = FOUND) -> bool:
        """Send a lookup on a connection on which the caller was admitted, and return whether that answers it."""
        before = CountingProtocol.answered
        with self.admitted() as connection:
            connection.sendall(self.store.lookup(body, *headers))
            answer_on(connection)
        return CountingProtocol.answered > before

    def protocol_of(self, connection: socket.socket) -> LookupProtocol:
        """Return the protocol that serves a connection."""
        protocols = (each for each in self.server.server_state.connections if isinstance(each, LookupProtocol))
        return next(each for each in protocols if each.client == connection.getsockname())

    async def until_under_way(self, count: int) -> None:
        """Wait until so many lookups count as being under way."""
        async with asyncio.timeout(PATIENCE):
            while self.services.load_limits.lookups._under_way != count:
                await asyncio.sleep(0.01)


@contextmanager
def counting_service(settings: Settings, account: tuple[str, str]) -> Iterator[Service]:
    """Run a service with a `LookupStore` while the block runs."""
    config = uvicorn_config(app_with_worker(settings), settings)
    assert isinstance(config.http, partial)
    config.http = partial(CountingProtocol, *config.http.args)
    with running_server(config) as (url, server):
        yield Service(url, server, make_lookup_store(url, account))


@asynccontextmanager
async def held_up(settings: Settings) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Keep lookups from ending while the block runs, and yield a function that waits until one has begun."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    locking, watching = await asyncpg.connect(url), await asyncpg.connect(url)

    async def until_begun() -> None:
        async with asyncio.timeout(PATIENCE):
            while not await watching.fetchval(WAITING):
                await asyncio.sleep(0.01)

    async with locking.transaction():
        await locking.execute("lock table credential in access exclusive mode")
        yield until_begun
    await locking.close()
    await watching.close()
