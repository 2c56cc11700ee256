"""Measures how many bytes an event takes beside the values that it holds.

`python -m benchmarks.event_sizes` runs it on a PostgreSQL of its own, without a server. The product's functions create,
update and merge people, once as an API key and once as an import. Values are those of identifiers and traits, as often
as the event holds them, but not the names of types, groups and traits.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from sqlalchemy import text

from benchmarks.splits import make_store
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.database.ids import new_id
from profile_lookup.database.migrations import migrate
from profile_lookup.database.pool import Database
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.event_document import event_of_document
from profile_lookup.identity.history.forgetting import identifiers_of
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.ingest.attempts import Attempt
from profile_lookup.ingest.ingest import change_of, ingest_together
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids

Contact = dict[str, str]

START = datetime(2026, 1, 15, 10, 15, 30, 123456, tzinfo=UTC)
KEY = Actor("key", "SK0123456789abcdef0123456789abcdef")
TOGETHER = 300  # requests in a transaction


class Size(NamedTuple):
    """Bytes of an event: all of it, its row, its JSON, and the values in that."""

    whole: float
    row: float
    document: float
    values: float


async def measure(url: str, people: int) -> dict[tuple[str, str], Size]:
    """Return the mean size of the events of each kind, by the type of their actor."""
    database = Database(url, pool_size=1)
    store = await make_store(database, DEFAULT_SETTINGS)
    of_import = ids.import_id(new_id())
    for first in (0, people):
        numbers = range(first, first + people)
        actors = [Actor("import", of_import, 100_000 + each) if first else KEY for each in numbers]
        for days, contacts in enumerate(
            (
                [_person(each) for each in numbers],
                [{"chat": f"visitor-{each}", "city": "Chicago"} for each in numbers],
                [{"email": _person(each)["email"], "firstName": f"Name {each}"} for each in numbers],
                [{"email": _person(each)["email"], "chat": f"visitor-{each}"} for each in numbers],
            )
        ):
            await _write(database, store, contacts, START + timedelta(days=days), actors)
    async with database.statements() as connection:
        await connection.execute(text("vacuum event"))
        rows = (await connection.execute(_SIZES)).all()
    await database.close()
    by_kind: dict[tuple[str, str], list[Size]] = {}
    for row in rows:
        event = event_of_document(row.id, row.kind, row.happened_at, row.profile_id, row.document)
        size = Size(row.row + row.indexes, row.row, row.document_size, _size_of_values(event))
        by_kind.setdefault((row.kind, event.actor.type if event.actor else "nobody"), []).append(size)
    return {kind: Size(*map(mean, zip(*sizes, strict=True))) for kind, sizes in sorted(by_kind.items())}


def _person(number: int) -> Contact:
    return {"phone": f"+1317555{number:04}", "email": f"person.{number}@example.com", "firstName": "Ada"}


async def _write(
    database: Database, store: StoreRules, contacts: Sequence[Contact], at: datetime, actors: Iterable[Actor]
) -> None:
    attempts = [
        Attempt(change_of(store, {"Contact": contact}), at + timedelta(milliseconds=number), actor)
        for number, (contact, actor) in enumerate(zip(contacts, actors, strict=True))
    ]
    for first in range(0, len(attempts), TOGETHER):
        async with database.write_transaction() as connection:
            await ingest_together(connection, store, attempts[first : first + TOGETHER])


def _size_of_values(event: Event) -> int:
    """Return the bytes of the values in the document of an event: each identifier stands there once."""
    before = [trait for trait in event.before.traits.values() if trait is not None]
    traits = [*before, *(trait for profile in event.absorbed for trait in profile.traits.values())]
    values = [
        *(each.value for each in identifiers_of(event)),
        *event.request.traits.values(),
        *(trait.value for trait in traits),
    ]
    return sum(len(json.dumps(value)) - 2 for value in values)


_SIZES = text("""
    select
        id, kind, happened_at, profile_id, document, octet_length(document::text) as document_size,
        -- The pointer to a row takes 4 bytes of its page.
        pg_column_size(event.*) + 4 as row,
        (select pg_indexes_size('event')) / count(*) over () as indexes
    from event where profile_id is not null
""")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory:
        Path(directory).chmod(0o711)  # if root runs this, PostgreSQL runs as another user, who must be able to enter
        with EmbeddedPostgres(Path(directory) / "pg") as server:
            migrate(server.url_as(SUPERUSER))
            sizes = asyncio.run(measure(server.url_as(SUPERUSER), options.people))
    print("bytes of an event                 beside values  row beside values  JSON beside values  values")
    for (kind, actor), size in sizes.items():
        beside = (each - size.values for each in size[:3])
        print(f"{kind + ' by ' + actor:32}", "".join(f"{each:17.0f}" for each in (*beside, size.values)))


if __name__ == "__main__":
    main()
