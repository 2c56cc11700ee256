"""Measures a request that shares a value with many profiles against one that shares a value with a single profile.

`python -m benchmarks.weak_matches` runs it on a PostgreSQL of its own, without a server: one connection calls `ingest`.
The kinds take turns, so that a disturbance of the machine affects all of them.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from sqlalchemy import text

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.accounts.queries import ensure_account
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.database.migrations import migrate
from profile_lookup.database.pool import Database
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.identity_settings import queries as identity_settings
from profile_lookup.ingest.ingest import ingest
from profile_lookup.stores import queries as stores
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_cache import StoreRules

RULES = IdentityResolutionSettings(
    (
        IdentifierConfig("email"),
        IdentifierConfig("cookie", enforce_unique=False),
        IdentifierConfig("device", enforce_unique=False),
    ),
    ("email", "cookie", "device"),
)
WARM_UP = 20

_FILL = text("""
    with made as (
        insert into profile (store_id, id, created_at)
        select :store_id, gen_random_uuid(), now() from generate_series(1, :holders)
        returning id
    )
    insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
    select :store_id, 'cookie', :value, made.id, uuid_send(made.id), now() from made
    union all
    select :store_id, 'email', :value || row_number() over (), made.id, '', now() from made
""")


async def measure(url: str, holders: int, rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of the creates of each kind. A create makes its value's holders one more."""
    database = Database(url, pool_size=1)
    store = await _make_store(database)
    async with database.transaction() as connection:
        for number in range(rounds + WARM_UP):
            await connection.execute(_FILL, {"store_id": store.id, "value": f"one-{number}", "holders": 1})
            await connection.execute(_FILL, {"store_id": store.id, "value": f"two-{number}", "holders": 2})
        await connection.execute(_FILL, {"store_id": store.id, "value": "popular", "holders": holders})
    async with database.statements() as connection:
        await connection.execute(text("vacuum analyze"))
    numbers = count()
    kinds: dict[str, list[float]] = {"nobody": [], "one": [], "two": [], "many": [], "many, and a device": []}
    for turn in range(rounds + WARM_UP):
        values = {
            "nobody": (("cookie", f"new-{turn}"),),
            "one": (("cookie", f"one-{turn}"),),  # an update, since a single weak match is the person
            "two": (("cookie", f"two-{turn}"),),
            "many": (("cookie", "popular"),),
            "many, and a device": (("cookie", "popular"), ("device", f"new-{turn}")),
        }
        for kind, shared in values.items():
            taken = await _create(database, store, (*shared, ("email", f"new-{next(numbers)}")))
            if turn >= WARM_UP:
                kinds[kind].append(taken)
    await database.close()
    return kinds


async def _make_store(database: Database) -> StoreRules:
    async with database.transaction() as connection:
        account_id = await ensure_account(connection, "benchmark", Credentials("ACbenchmark", digest("no secret")))
        store_id = await stores.create(connection, account_id, display_name="", description=None, max_stores=1)
        await identity_settings.replace(connection, await rules_in_force(connection, account_id, store_id), RULES)
        return await rules_in_force(connection, account_id, store_id)


async def _create(database: Database, store: StoreRules, identifiers: tuple[tuple[str, str], ...]) -> float:
    incoming = tuple(NormalizedIdentifier(id_type, NormalizedValue(value)) for id_type, value in identifiers)
    began = time.perf_counter()
    await ingest(database, store, lambda _: Change(incoming), datetime.now(UTC))
    return (time.perf_counter() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--holders", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory:
        Path(directory).chmod(0o711)  # if root runs this, PostgreSQL runs as another user, who must be able to enter
        with EmbeddedPostgres(Path(directory) / "pg") as server:
            migrate(server.url_as(SUPERUSER))
            kinds = asyncio.run(measure(server.url_as(SUPERUSER), options.holders, options.rounds))
    base = statistics.median(kinds["one"])
    for kind, taken in kinds.items():
        median = statistics.median(taken)
        print(f"{kind:20} {median:7.2f} ms  {median / base:5.2f} x")


if __name__ == "__main__":
    main()
