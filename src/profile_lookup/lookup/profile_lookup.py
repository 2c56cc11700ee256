"""The hot read: rules, normalize, canonical profiles. One statement, and never stale.

A process knows the rules of the stores that it was asked about, and whom it admitted to them. It uses both without
asking first whether they still hold: the statement that finds the profiles also verifies the caller and returns the
revision of the rules in force. Only if that differs, or if the answer would be a refusal, is the caller admitted anew.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.pool import Database
from profile_lookup.errors import IdentifierRefused, RequestRefused, Unavailable
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier, NormalizedValue
from profile_lookup.lookup.coalescing import Found, IsGone, Lookups
from profile_lookup.lookup.queries import similar_profile_ids
from profile_lookup.stores.admission import Admissions
from profile_lookup.stores.rules_cache import Store

MAX_ATTEMPTS = 5
"""How often a lookup is repeated when the settings change under it."""


class LookupResult(NamedTuple):
    normalized_value: NormalizedValue
    profile_ids: Sequence[UUID]


class ProfileLookup:
    """Answers the lookups of one process."""

    def __init__(self, database: Database, admissions: Admissions, lookups: Lookups) -> None:
        self._database = database
        self._admissions = admissions
        self._lookups = lookups

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

        `read` returns the identifier of the request, and the same again when it is called again; it is called once the
        caller is admitted. `may_be_long`: to read it may take so much that the admission must be fresh. `is_gone`
        tells whether the client has gone. Raises what `admit` and `read` raise, `IdentifierRefused`, and `Unavailable`
        also if the settings change all the time.
        """
        store = None if may_be_long else self._admissions.known(credentials, store_id, "lookup")
        is_fresh = False
        for _ in range(MAX_ATTEMPTS):
            if store is None:
                store = await self._admissions.admit(credentials, store_id, "lookup")
                is_fresh = True
            try:
                found = await self._find(credentials, store, await read(), is_gone)
            except (IdentifierRefused, RequestRefused):
                if is_fresh:
                    raise
                found = None  # a refusal tells something of the store: never by rules that may be old
            if found is not None:
                return found
            store = None
        raise Unavailable

    async def _find(
        self, credentials: Credentials, store: Store, identifier: Identifier, is_gone: IsGone | None
    ) -> LookupResult | None:
        """Return None if the store has other rules by now, or if the caller may not look up any more."""
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
