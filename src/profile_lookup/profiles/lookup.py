"""The hot read: settings, normalize, canonical profiles. One statement, and never stale.

A process keeps the settings of the stores it was asked about, and uses them without asking whether they still hold:
the statement that finds the profiles also verifies the caller and says which version of the settings is in force.
Only when that differs, or when the answer would be a refusal, is the store asked for anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.engine import Database
from profile_lookup.errors import IdentifierRefused
from profile_lookup.identity.identifier import Identifier, NormalizedValue
from profile_lookup.profiles import queries
from profile_lookup.stores.admission import Store, admit

MAX_KNOWN = 10_000
"""Stores whose settings one process keeps; some kilobytes each."""


class KnownStores:
    """What this process last knew of each store."""

    def __init__(self) -> None:
        self._stores: dict[str, Store] = {}

    def get(self, store_id: str) -> Store | None:
        return self._stores.get(store_id)

    async def ask(self, connection: AsyncConnection, credentials: Credentials, store_id: str) -> Store:
        """Raises what `admit` raises."""
        if len(self._stores) >= MAX_KNOWN:
            self._stores.clear()
        self._stores[store_id] = store = await admit(connection, credentials, store_id, "lookup")
        return store


@dataclass(frozen=True, slots=True)
class LookupResult:
    normalized_value: NormalizedValue
    profile_ids: Sequence[UUID]


async def look_up(
    database: Database, known: KnownStores, credentials: Credentials, store_id: str, identifier: Identifier
) -> LookupResult:
    """Raises what `admit` raises, and `IdentifierRefused`."""
    store = known.get(store_id)
    is_current = False
    async with database.statements() as connection:
        while True:
            if store is None:
                store = await known.ask(connection, credentials, store_id)
                is_current = True
            try:
                normalized = store.settings.normalize(identifier)
            except IdentifierRefused:
                # A refusal tells something of the store: only to who may know it, and only what still holds.
                if is_current:
                    raise
                store = None
                continue
            found = await queries.canonical_profile_ids(connection, credentials, store.id, normalized)
            if found is not None and found.settings_version == store.settings_version:
                return LookupResult(normalized.value, found.profile_ids)
            store = None
