"""The Lookup as a function of a request's parts: credentials, store ID and body. It returns the JSON of the answer.

Two adapters call it: the route of any ASGI server (`routes.py`), and the protocol that `serve` uses for connections
(`serving/lookup_protocol.py`), which answers usual requests without a task for each.

A process caches the rules of stores, and which callers it admitted to them. It uses both without checking first whether
they are still valid, and yet no answer is stale: the statement that finds the profiles also verifies the caller and
returns the revision of the rules in force. If that differs, or if the answer would be a refusal, the caller is admitted
again.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.pool import Database
from profile_lookup.errors import IdentifierRefused, RequestRefused, Unavailable
from profile_lookup.identity.former_values import named_identifiers
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.lookup.coalesced_statement import Found
from profile_lookup.lookup.coalescing import Lookups
from profile_lookup.lookup.queries import MAX_PROFILES, profile_ids_of_any, similar_profile_ids
from profile_lookup.lookup.waiting_lookup import IsGone
from profile_lookup.lookup.wire import identifier_in, serialized
from profile_lookup.metrics.catalogue import BLOCKED_VALUES
from profile_lookup.metrics.id_types import id_type_label
from profile_lookup.overload import ConnectionTurn, LoadLimits
from profile_lookup.stores.admission import Admissions
from profile_lookup.stores.rules_cache import RULES, StoreRules
from profile_lookup.traces.spans import statement_span

MAX_ATTEMPTS = 5
"""How often a lookup is tried at most, since the settings may change while it is run."""

Outcome = bytes | Exception | None
"""Of the attempt that `begin` makes: an answer, an error, or None if the caller has to be admitted anew."""

T = TypeVar("T")

Read = Callable[[], Awaitable[bytes]]
"""Returns the body of the request, and the same one if it is called again."""


class ProfileLookup:
    """Answers the lookups of one process."""

    def __init__(self, database: Database, admissions: Admissions, lookups: Lookups, load_limits: LoadLimits) -> None:
        self._database = database
        self._admissions = admissions
        self._lookups = lookups
        self._load_limits = load_limits

    def begin(
        self,
        credentials: Credentials,
        store_id: str,
        body: bytes,
        is_gone: IsGone,
        settle: Callable[[Outcome], None],
    ) -> bool:
        """Make the first attempt of `look_up`, if the caller was admitted lately, and call `settle` with its outcome.

        `settle` is called once, and not before this returns. Unless the outcome is an answer, `finish` makes one of it.
        Return False if the first attempt would not be made, would need another statement or would be refused: then
        nothing was counted, and `look_up` has to be called.
        """
        now = monotonic()
        known = self._admissions.cached(credentials, store_id, "lookup", now)
        store = None if known is None else RULES.get(known.caller[1])
        if known is None or store is None or store.may_hold_former_values or self._lookups.is_full:
            return False
        try:
            identifier = store.settings.normalize(identifier_in(body))
            if identifier.id_type in store.settings.fuzzy_types:
                return False
            self._admissions.count(known, now)
        except Exception:  # noqa: BLE001 -- `look_up` raises the refusal, or the defect, for which there is an answer
            return False

        def settle_found(found: Found | Exception | None) -> None:
            try:
                outcome = found if isinstance(found, Exception) else _answer(store, identifier, found)
            except Exception as error:  # noqa: BLE001 -- a defect must not keep others of the batch from their answers
                outcome = error
            settle(outcome)

        self._lookups.begin(known.caller, identifier, is_gone, settle_found)
        return True

    async def finish(self, credentials: Credentials, store_id: str, read: Read, begun: Awaitable[Outcome]) -> bytes:
        """Return the answer of a request for which `begin` returned True. `begun` returns what `settle` is called with.

        Raises what `look_up` raises, or the error that is the outcome.
        """
        outcome = await begun
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            return outcome
        return await self._look_up(credentials, store_id, read, None, cost=0, is_gone=None)

    async def look_up(
        self,
        credentials: Credentials,
        store_id: str,
        read: Read,
        *,
        may_be_long: bool = False,
        is_gone: IsGone | None = None,
    ) -> bytes:
        """Return the JSON that names the profiles of an identifier.

        `read` is called after the caller was admitted. `may_be_long` says that reading may cost so much that the caller
        must be admitted just before. `is_gone` returns whether the client has gone. Raises what `admit` and `read`
        raise, `RequestRefused`, `IdentifierRefused`, and `Unavailable`, also if the settings change all the time.
        """
        store = None if may_be_long else self._admissions.known(credentials, store_id, "lookup")
        return await self._look_up(credentials, store_id, read, store, cost=1 if store is None else 0, is_gone=is_gone)

    async def _look_up(
        self,
        credentials: Credentials,
        store_id: str,
        read: Read,
        store: StoreRules | None,
        *,
        cost: int,
        is_gone: IsGone | None,
    ) -> bytes:
        """Try with the cached store, if there is one, and then as the caller is admitted, which `cost` counts once."""
        is_fresh = False
        for _ in range(MAX_ATTEMPTS):
            if store is None:
                store = await self._admissions.admit(credentials, store_id, "lookup", cost=cost)
                cost = 0
                is_fresh = True
            try:
                answer = await self._find(credentials, store, identifier_in(await read()), is_gone)
            except (IdentifierRefused, RequestRefused):
                if is_fresh:
                    raise
                answer = None  # a refusal reveals something of the store, so old rules must not decide it
            if answer is not None:
                return answer
            store = None
        raise Unavailable

    async def _find(
        self, credentials: Credentials, store: StoreRules, identifier: Identifier, is_gone: IsGone | None
    ) -> bytes | None:
        """Return the answer; None if the store has other rules by now, or if the caller may no longer look up."""
        if store.may_hold_former_values:
            return await self._find_in_any_form(credentials, store, identifier)
        normalized = store.settings.normalize(identifier)
        if normalized.id_type in store.settings.fuzzy_types:
            found = await self._find_similar(credentials, store, normalized)
        else:
            with statement_span("select from identifier"):  # with others that arrive together
                found = await self._lookups.find(credentials, store.id, normalized, is_gone)
        return _answer(store, normalized, found)

    async def _find_in_any_form(
        self, credentials: Credentials, store: StoreRules, identifier: Identifier
    ) -> bytes | None:
        """Do what `_find` does, in a store that may hold values in an earlier form.

        Raises `ValueRefused` if today's rules refuse the value and it is not stored as it was sent.
        """
        named = named_identifiers(store.settings, identifier)
        today = named[0]

        async def find(connection: AsyncConnection) -> list[Row[int, list[UUID]] | None]:
            rows = [await profile_ids_of_any(connection, credentials, store, named)]
            if today.id_type in store.settings.fuzzy_types:
                rows.insert(0, await similar_profile_ids(connection, credentials, store, today))
            return rows

        rows = await self._read_in_turn(find)
        if any(row is None or row.revision != store.revision for row in rows):
            return None
        profile_ids = list(dict.fromkeys(each for row in rows if row is not None for each in row.profile_ids))
        if not profile_ids:
            today = store.settings.normalize(identifier)
        elif store.blocked_values.block(store.settings, today):
            profile_ids = []
        return serialized(today.value, profile_ids[:MAX_PROFILES])

    async def _find_similar(
        self, credentials: Credentials, store: StoreRules, identifier: NormalizedIdentifier
    ) -> Found | None:
        similar = await self._read_in_turn(
            partial(similar_profile_ids, credentials=credentials, store=store, identifier=identifier)
        )
        return None if similar is None else Found(*similar)

    async def _read_in_turn(self, query: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Return what a query returns that may take long. These queries take turns. Raises `Overloaded`."""
        turn = ConnectionTurn(self._load_limits.fuzzy, self._load_limits.fuzzy_turns)
        async with turn:
            await turn.begin()
            return await self._database.read(query)


def _answer(store: StoreRules, identifier: NormalizedIdentifier, found: Found | None) -> bytes | None:
    """Return the answer; None if the store has other rules by now, or if the caller may no longer look up."""
    if found is None or found.revision != store.revision:
        return None
    if found.profile_ids and store.blocked_values.block(store.settings, identifier):
        BLOCKED_VALUES.add(id_type_label(identifier.id_type))
        return serialized(identifier.value, ())  # the operation that removes the value has not come to it yet
    return serialized(identifier.value, found.profile_ids)
