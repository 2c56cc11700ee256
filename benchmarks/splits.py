"""Measures a split of a large profile against a plain update.

`python -m benchmarks.splits` runs it on a PostgreSQL of its own, without a server: one connection calls `ingest` and
`split_or_enqueue`. For each split the profile is made anew, by as many writes as it is to have events.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.accounts.queries import ensure_account
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.database.event_rows import events_of
from profile_lookup.database.migrations import migrate
from profile_lookup.database.pool import Database
from profile_lookup.garbage_collection import collect_seldom
from profile_lookup.history.split_request import SplitRequest
from profile_lookup.history.splits import split_or_enqueue
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.identity_settings import queries as identity_settings
from profile_lookup.ingest.ingest import ingest
from profile_lookup.operations.quotas import Quotas
from profile_lookup.stores import queries as stores
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_cache import StoreRules

TYPES = tuple(f"type-{number}" for number in range(11))
RULES = IdentityResolutionSettings(tuple(IdentifierConfig(each) for each in ("email", *TYPES)), ("email", *TYPES))
CITY = TraitName("Contact", "city")
SID, SECRET = "ACbenchmark", "no secret"
ACTOR = Actor("command", "benchmark")
QUOTAS = Quotas(queued_per_store=100, queued_per_account=100, waiting_per_store=100)
UPDATES = 50  # in each round


async def measure(url: str, identifiers: int, events: int, rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of the writes of each kind."""
    database = Database(url, pool_size=1)
    store = await make_store(database, RULES)
    collect_seldom()
    kinds: dict[str, list[float]] = {
        name: [] for name in ("update", "update of the large profile", "newest join", "oldest join", "all joins")
    }
    for turn in range(rounds):
        small = await write_person(database, store, [named_identifier("email", f"small-{turn}")])
        kinds["update"] += await _updates(database, store, small)
        for kind in ("newest join", "oldest join", "all joins"):
            profile_id = await _make_profile(database, store, f"{kind}-{turn}", identifiers, events)
            kinds["update of the large profile"] += await _updates(database, store, profile_id)
            kinds[kind].append(await _split(database, store, profile_id, kind))
    await database.close()
    return kinds


async def make_store(database: Database, rules: IdentityResolutionSettings) -> StoreRules:
    """Make an account with a store that has these rules."""
    async with database.transaction() as connection:
        account_id = await ensure_account(connection, "benchmark", Credentials(SID, digest(SECRET)))
        store_id = await stores.create(connection, account_id, display_name="", description=None, max_stores=1)
        await identity_settings.replace(connection, await rules_in_force(connection, account_id, store_id), rules)
        return await rules_in_force(connection, account_id, store_id)


async def _make_profile(database: Database, store: StoreRules, name: str, identifiers: int, events: int) -> UUID:
    """Make a profile by writes that have one address in common, and nothing else."""
    shared = named_identifier("email", name)
    own = identifiers // events
    for number in range(events):
        numbers = range(number * own, (number + 1) * own)
        carried = [named_identifier(TYPES[each % len(TYPES)], f"{name}-{each}") for each in numbers]
        profile_id = await write_person(database, store, [shared, *carried])
    return profile_id


def named_identifier(id_type: str, value: str) -> NormalizedIdentifier:
    """Return an identifier of a value that is taken as it is."""
    return NormalizedIdentifier(id_type, NormalizedValue(value))


async def write_person(
    database: Database, store: StoreRules, incoming: Sequence[NormalizedIdentifier], known: UUID | None = None
) -> UUID:
    """Create or update a person by these identifiers and a new city, and return its ID."""
    change = Change(tuple(incoming), {CITY: str(time.perf_counter())})
    return await ingest(database, store, lambda _: change, datetime.now(UTC), known, ACTOR)


async def _updates(database: Database, store: StoreRules, profile_id: UUID) -> list[float]:
    taken = []
    for _ in range(UPDATES):
        began = time.perf_counter()
        await write_person(database, store, (), profile_id)
        taken.append((time.perf_counter() - began) * 1000)
    return taken


async def _split(database: Database, store: StoreRules, profile_id: UUID, kind: str) -> float:
    async with database.statements() as connection:
        events = [event for _, event in await events_of(connection, store.id, [profile_id])]
    joins = [event.id for event in events if event.kind == "updated"]
    named = {"newest join": joins[-1:], "oldest join": joins[:1], "all joins": joins}[kind]
    began = time.perf_counter()
    await split_or_enqueue(database, store, profile_id, SplitRequest(named, ACTOR), datetime.now(UTC), QUOTAS)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identifiers", type=int, default=1000)
    parser.add_argument("--events", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory:
        Path(directory).chmod(0o711)  # if root runs this, PostgreSQL runs as another user, who must be able to enter
        with EmbeddedPostgres(Path(directory) / "pg") as server:
            migrate(server.url_as(SUPERUSER))
            kinds = asyncio.run(measure(server.url_as(SUPERUSER), options.identifiers, options.events, options.rounds))
    base = statistics.median(kinds["update"])
    for kind, taken in kinds.items():
        median = statistics.median(taken)
        print(f"{kind:30} {median:8.2f} ms  {median / base:6.1f} x")


if __name__ == "__main__":
    main()
