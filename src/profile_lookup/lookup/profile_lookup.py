"""The hot read: settings, normalize, canonical profiles. One statement, and never stale.

A process keeps the settings of the stores it was asked about, and uses them without asking whether they still hold:
the statement that finds the profiles also verifies the caller and says which revision of the rules is in force.
Only when that differs, or when the answer would be a refusal, is the store asked for anew.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.pool import Database
from profile_lookup.errors import IdentifierRefused, Unavailable
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier, NormalizedValue
from profile_lookup.lookup.coalescing import Found, Lookups
from profile_lookup.profiles.queries import similar_profile_ids
from profile_lookup.stores.admission import Store, admit

MAX_KNOWN = 10_000
"""Stores, each for one caller, whose settings one process keeps; mostly some kilobytes each."""

MAX_ATTEMPTS = 5
"""How often a lookup is repeated when the settings change under it."""


class LookupResult(NamedTuple):
    normalized_value: NormalizedValue
    profile_ids: Sequence[UUID]


class ProfileLookup:
    """Answers the lookups of one process.

    What it knows of a store, it knows for who was admitted to it: to anybody else the store is as unknown as one that
    does not exist, and an answer takes as many statements.
    """

    def __init__(self, database: Database, lookups: Lookups) -> None:
        self._database = database
        self._lookups = lookups
        self._known: dict[tuple[Credentials, str], Store] = {}

    async def look_up(self, credentials: Credentials, store_id: str, identifier: Identifier) -> LookupResult:
        """Raises what `admit` raises, `IdentifierRefused`, and `Unavailable` if the settings change all the time."""
        # A refusal tells something of the store: never from memory, which may be old.
        with suppress(IdentifierRefused):
            store = self.known(credentials, store_id)
            if store is not None and (found := await self.find(credentials, store, identifier)):
                return found
        for _ in range(MAX_ATTEMPTS):
            store = await self._ask(credentials, store_id)
            if found := await self.find(credentials, store, identifier):
                return found
        raise Unavailable

    def known(self, credentials: Credentials, store_id: str) -> Store | None:
        """The store as this caller was last told of it."""
        return self._known.get((credentials, store_id))

    async def _ask(self, credentials: Credentials, store_id: str) -> Store:
        store = await admit(self._database, credentials, store_id, "lookup")
        key = credentials, store_id
        if key not in self._known and len(self._known) >= MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[key] = store
        return store

    async def find(
        self,
        credentials: Credentials,
        store: Store,
        identifier: Identifier,
        is_gone: Callable[[], bool] | None = None,
    ) -> LookupResult | None:
        """By what is known of the store; None if that does not hold any more, or the caller may not ask.

        `is_gone` tells whether the caller still waits. Raises `Unavailable`, and `IdentifierRefused`, which is no
        answer yet.
        """
        normalized = store.settings.normalize(identifier)
        if normalized.id_type in store.settings.fuzzy_types:
            found = await self._find_similar(credentials, store, normalized)
        else:
            found = await self._lookups.find(credentials, store.id, normalized, is_gone)
        if found is None or found.revision != store.revision:
            return None
        return LookupResult(normalized.value, found.profile_ids)

    async def _find_similar(
        self, credentials: Credentials, store: Store, identifier: NormalizedIdentifier
    ) -> Found | None:
        async with self._database.statements() as connection:
            similar = await similar_profile_ids(connection, credentials, store, identifier)
        return None if similar is None else Found(*similar)
