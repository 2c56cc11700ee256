"""The event loop of the service, a PostgreSQL server that one test may kill or stop, and a busy poll that counts."""

import asyncio
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.database.single_queries.busy_poll import BusyPoll
from tests.citus.distributed import CITUS_URL


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that the service runs on, whose clock counts whole milliseconds."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def database_url(own_database_url: str) -> str:
    """The URL of a new database: these tests look at plans and sessions, and run workers themselves."""
    return own_database_url


@pytest.fixture
def database_urls(request: pytest.FixtureRequest, database_url: str) -> Sequence[str]:
    """The URLs of the database, of which each is for another process. On Citus, they lead to all nodes."""
    urls: Sequence[str] = request.getfixturevalue("citus_urls") if CITUS_URL in os.environ else [database_url]
    return urls


@pytest.fixture
def own_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="postgres-") as path:
        Path(path).chmod(0o711)  # if root runs the tests, PostgreSQL runs as another user, who must be able to enter
        yield Path(path) / "pg"


def own_server(directory: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(directory, settings={"fsync": "off", "shared_buffers": "16MB"})


def postmaster(directory: Path) -> int:
    return int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])


class CountingPoll(BusyPoll):
    polls = 0

    def _poll(self) -> None:
        self.polls += 1
        super()._poll()

    async def polls_in_ten_turns(self) -> int:
        before = self.polls
        for _ in range(10):
            await asyncio.sleep(0)
        return self.polls - before
