"""A store that lookups find profiles in."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.accounts.grants import Grant
from profile_lookup.accounts.keys import add_key
from profile_lookup.database.pool import Database
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.ingest.ingest import ingest
from profile_lookup.lookup.coalescing import Lookups
from profile_lookup.stores.rules_cache import StoreRules
from tests.database.stores import make_store


@dataclass
class FilledStore:
    """A store with profiles c-0 … c-9, and a key that may look them up."""

    store: StoreRules
    key: Credentials
    profile_ids: list[UUID]

    async def found(self, lookups: Lookups, number: int, caller: Credentials | None = None) -> list[UUID] | None:
        """Return what this caller finds, or else the store's own key."""
        chat = DEFAULT_SETTINGS.normalize(Identifier("chat", f"c-{number}"))
        found = await lookups.find(caller or self.key, self.store.id, chat)
        return None if found is None else list(found.profile_ids)

    async def add(self, database: Database) -> None:
        """Create the next profile."""
        change = Change((DEFAULT_SETTINGS.normalize(Identifier("chat", f"c-{len(self.profile_ids)}")),))
        self.profile_ids.append(await ingest(database, self.store, lambda _: change, datetime.now(UTC)))

    def expected(self, number: int) -> list[UUID]:
        return [self.profile_ids[number]] if number < len(self.profile_ids) else []


async def fill_store(database: Database) -> FilledStore:
    store = await make_store(database, DEFAULT_SETTINGS)
    key = Credentials(f"SK{store.id.hex}", digest("secret"))
    async with database.transaction() as connection:
        await add_key(connection, store.account_id, key, name="", grant=Grant(frozenset({"lookup"})))
    filled = FilledStore(store, key, [])
    for _ in range(10):
        await filled.add(database)
    return filled
