"""Looks up profiles: normalizes the identifier by the store's rules, and finds the profiles in one statement.

A process caches the rules of stores, and which callers it admitted to them. It uses both without checking first whether
they are still valid, and yet no answer is stale: the statement that finds the profiles also verifies the caller and
returns the revision of the rules in force. If that differs, or if the answer would be a refusal, the caller is admitted
again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.pool import Database
from profile_lookup.errors import IdentifierRefused, RequestRefused, Unavailable
from profile_lookup.identity.former_values import named_identifiers
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.lookup.coalescing import Found, IsGone, Lookups
from profile_lookup.lookup.queries import MAX_PROFILES, profile_ids_of_any, similar_profile_ids
from profile_lookup.overload import ConnectionTurn, LoadLimits
from profile_lookup.stores.admission import Admissions
from profile_lookup.stores.rules_cache import StoreRules

MAX_ATTEMPTS = 5
"""How often a lookup is tried at most, since the settings may change while it is run."""


class LookupResult(NamedTuple):
    normalized_value: NormalizedValue
    profile_ids: Sequence[UUID]


class ProfileLookup:
    """Answers the lookups of one process."""

    def __init__(self, database: Database, admissions: Admissions, lookups: Lookups, load_limits: LoadLimits) -> None:
        self._database = database
        self._admissions = admissions
        self._lookups = lookups
        self._load_limits = load_limits

    async def look_up(
        self,
        credentials: Credentials,
        store_id: str,
        read: Callable[[], Awaitable[Identifier]],
        *,
        may_be_long: bool = False,
        is_gone: IsGone | None = None,
    ) -> LookupResult:
        """Return the profiles that an identifier names.

        `read` returns the identifier of the request, and the same one if it is called again; it is called after the
        caller was admitted. `may_be_long` says that reading may cost so much that the caller must be admitted just
        before. `is_gone` returns whether the client has gone. Raises what `admit` and `read` raise,
        `IdentifierRefused`, and `Unavailable`, also if the settings change all the time.
        """
        store = None if may_be_long else self._admissions.known(credentials, store_id, "lookup")
        cost = 1 if store is None else 0
        is_fresh = False
        for _ in range(MAX_ATTEMPTS):
            if store is None:
                store = await self._admissions.admit(credentials, store_id, "lookup", cost=cost)
                cost = 0
                is_fresh = True
            try:
                found = await self._find(credentials, store, await read(), is_gone)
            except (IdentifierRefused, RequestRefused):
                if is_fresh:
                    raise
                found = None  # a refusal reveals something of the store, so old rules must not decide it
            if found is not None:
                return found
            store = None
        raise Unavailable

    async def _find(
        self, credentials: Credentials, store: StoreRules, identifier: Identifier, is_gone: IsGone | None
    ) -> LookupResult | None:
        """Return the profiles; None if the store has other rules by now, or if the caller may no longer look up."""
        if store.may_hold_former_values:
            return await self._find_in_any_form(credentials, store, identifier)
        normalized = store.settings.normalize(identifier)
        if normalized.id_type in store.settings.fuzzy_types:
            found = await self._find_similar(credentials, store, normalized)
        else:
            found = await self._lookups.find(credentials, store.id, normalized, is_gone)
        if found is None or found.revision != store.revision:
            return None
        if found.profile_ids and store.blocked_values.block(store.settings, normalized):
            return LookupResult(normalized.value, ())  # the operation that removes the value has not come to it yet
        return LookupResult(normalized.value, found.profile_ids)

    async def _find_in_any_form(
        self, credentials: Credentials, store: StoreRules, identifier: Identifier
    ) -> LookupResult | None:
        """Do what `_find` does, in a store that may hold values in an earlier form.

        Raises `ValueRefused` if today's rules refuse the value and it is not stored as it was sent.
        """
        named = named_identifiers(store.settings, identifier)
        today = named[0]
        async with self._slow_connection() as connection:
            rows = [await profile_ids_of_any(connection, credentials, store, named)]
            if today.id_type in store.settings.fuzzy_types:
                rows.insert(0, await similar_profile_ids(connection, credentials, store, today))
        if any(row is None or row.revision != store.revision for row in rows):
            return None
        profile_ids = list(dict.fromkeys(each for row in rows if row is not None for each in row.profile_ids))
        if not profile_ids:
            today = store.settings.normalize(identifier)
        elif store.blocked_values.block(store.settings, today):
            profile_ids = []
        return LookupResult(today.value, profile_ids[:MAX_PROFILES])

    async def _find_similar(
        self, credentials: Credentials, store: StoreRules, identifier: NormalizedIdentifier
    ) -> Found | None:
        async with self._slow_connection() as connection:
            similar = await similar_profile_ids(connection, credentials, store, identifier)
        return None if similar is None else Found(*similar)

    @asynccontextmanager
    async def _slow_connection(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection for a query that may take long. These queries take turns. Raises `Overloaded`."""
        turn = ConnectionTurn(self._load_limits.fuzzy, self._load_limits.fuzzy_turns)
        async with turn:
            await turn.begin()
            async with self._database.statements() as connection:
                yield connection
