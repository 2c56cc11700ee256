"""The hot read: settings, normalize, canonical profiles. One statement, and never stale.

A process keeps the settings of the stores it was asked about, and uses them without asking whether they still hold:
the statement that finds the profiles also verifies the caller and says which revision of the rules is in force.
Only when that differs, or when the answer would be a refusal, is the store asked for anew.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.engine import Database
from profile_lookup.errors import IdentifierRefused, Unavailable
from profile_lookup.identity.identifier import Identifier, NormalizedValue
from profile_lookup.profiles import queries
from profile_lookup.profiles.fuzzy import fuzzy_key
from profile_lookup.stores.admission import Store, admit

MAX_KNOWN = 10_000
"""Stores, each for one caller, whose settings one process keeps; some kilobytes each."""

MAX_ATTEMPTS = 5
"""How often a lookup is repeated when the settings change under it."""


class KnownStores:
    """What this process last knew of each store, for who was admitted to it.

    To anybody else a store is as unknown as one that does not exist, and an answer takes as many statements.
    """

    def __init__(self) -> None:
        self._stores: dict[tuple[Credentials, str], Store] = {}

    def get(self, credentials: Credentials, store_id: str) -> Store | None:
        return self._stores.get((credentials, store_id))

    async def ask(self, connection: AsyncConnection, credentials: Credentials, store_id: str) -> Store:
        """Ask for it anew. Raises what `admit` raises."""
        store = await admit(connection, credentials, store_id, "lookup")
        key = credentials, store_id
        if key not in self._stores and len(self._stores) >= MAX_KNOWN:
            del self._stores[next(iter(self._stores))]
        self._stores[key] = store
        return store


@dataclass(frozen=True, slots=True)
class LookupResult:
    normalized_value: NormalizedValue
    profile_ids: Sequence[UUID]


async def look_up(
    database: Database, known: KnownStores, credentials: Credentials, store_id: str, identifier: Identifier
) -> LookupResult:
    """Raises what `admit` raises, `IdentifierRefused`, and `Unavailable` if the settings change all the time."""
    async with database.statements() as connection:
        if (store := known.get(credentials, store_id)) is not None:
            # A refusal tells something of the store: never from memory, which may be old or not the caller's to know.
            with suppress(IdentifierRefused):
                if found := await _find(connection, credentials, store, identifier):
                    return found
        for _ in range(MAX_ATTEMPTS):
            store = await known.ask(connection, credentials, store_id)
            if found := await _find(connection, credentials, store, identifier):
                return found
    raise Unavailable


async def _find(
    connection: AsyncConnection, credentials: Credentials, store: Store, identifier: Identifier
) -> LookupResult | None:
    """None when the rules of the store are no longer these, or the caller may not ask."""
    normalized = store.settings.normalize(identifier)
    key = fuzzy_key(store.settings, store.id, normalized.id_type)
    if key is None:
        found = await queries.canonical_profile_ids(connection, credentials, store.id, normalized)
    else:
        threshold = store.settings.config(normalized.id_type).matching_threshold
        found = await queries.similar_profile_ids(connection, credentials, store.id, normalized, key, threshold)
    if found is None or found.revision != store.revision:
        return None
    return LookupResult(normalized.value, found.profile_ids)
