"""Measures the console's pages about one person: the server's time, and the bytes of each page with all that it loads.

`python -m benchmarks.console_pages` runs it on a PostgreSQL of its own. The application answers within this process, so
the time is that of the server without a network. Bytes are compressed by gzip, as a proxy sends them. The writes that
make the person carry one address that they have in common, so the page of its joins has a join for each identifier.
"""

import argparse
import asyncio
import gzip
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin
from uuid import UUID

import httpx

from benchmarks.errors import BenchmarkError
from benchmarks.splits import RULES, SECRET, SID, TYPES, make_store, named_identifier, write_person
from profile_lookup.app import create_app
from profile_lookup.console.navigation import PERSON_LINKS
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.database.migrations import migrate
from profile_lookup.database.pool import Database
from profile_lookup.garbage_collection import collect_seldom
from profile_lookup.settings import Settings, load_settings
from profile_lookup.web import ids

_ORIGIN = "http://127.0.0.1"
_ASSET = re.compile(r'(?:href|src)="([^"]*/assets/[^"]+)"')
_TOKEN = re.compile(r'name="token" value="([^"]+)"')


class Measured(NamedTuple):
    """A page: the milliseconds of its answers, the bytes of its HTML, and those of all that it loads, compressed."""

    title: str
    milliseconds: Sequence[float]
    size: int
    compressed: int


async def measure(settings: Settings, identifiers: int, events: int, rounds: int) -> list[Measured]:
    """Return the measurements of the pages about a person who is made for it."""
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), pool_size=1)
    store = await make_store(database, RULES)
    for number in range(events):
        own = [named_identifier(TYPES[number % len(TYPES)], f"value-{number}")] if number < identifiers - 1 else []
        person_id = await write_person(database, store, [named_identifier("email", "ann@example.com"), *own])
    await database.close()
    app = create_app(settings)
    collect_seldom()
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=_ORIGIN) as client:
        await _sign_in(client)
        return [await _measured(client, *page, rounds) for page in _pages(ids.store_id(store.id), person_id)]


def _pages(store_id: str, person_id: UUID) -> Iterator[tuple[str, str]]:
    """Yield the title and the path of each page."""
    person = f"/console/stores/{store_id}/profiles/{ids.profile_id(person_id)}"
    yield "The person", person
    for link in PERSON_LINKS:
        yield link.title, f"{person}/{link.path}"


async def _sign_in(client: httpx.AsyncClient) -> None:
    token = _TOKEN.search((await client.get("/console/sign-in")).text)
    assert token is not None
    answer = await client.post("/console/sign-in", data={"token": token[1], "sid": SID, "secret": SECRET})
    if answer.status_code != httpx.codes.SEE_OTHER:
        raise BenchmarkError(f"signing in was answered by {answer.status_code}")


async def _measured(client: httpx.AsyncClient, title: str, path: str, rounds: int) -> Measured:
    milliseconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        page = await client.get(path)
        milliseconds.append((time.perf_counter() - began) * 1000)
        if page.status_code != httpx.codes.OK:
            raise BenchmarkError(f"{title} was answered by {page.status_code}")
    loaded = [page, *[await client.get(urljoin(path, each)) for each in sorted(set(_ASSET.findall(page.text)))]]
    return Measured(title, milliseconds, len(page.content), sum(len(gzip.compress(each.content, 6)) for each in loaded))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identifiers", type=int, default=100)
    parser.add_argument("--events", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory:
        Path(directory).chmod(0o711)  # if root runs this, PostgreSQL runs as another user, who must be able to enter
        with EmbeddedPostgres(Path(directory) / "pg") as server:
            migrate(server.url_as(SUPERUSER))
            settings = load_settings(database_url=server.url_as(SUPERUSER), data_dir=Path(directory) / "data")
            pages = asyncio.run(measure(settings, options.identifiers, options.events, options.rounds))
    print(f"{'page':24}  median    highest    HTML       with all that it loads, compressed")
    for page in pages:
        median, highest = statistics.median(page.milliseconds), max(page.milliseconds)
        size, compressed = page.size / 1024, page.compressed / 1024
        print(f"{page.title:24}{median:6.1f} ms  {highest:6.1f} ms  {size:6.1f} KiB {compressed:6.1f} KiB")


if __name__ == "__main__":
    main()
