"""Looks up many identifiers in one statement, which sees one moment, while single lookups go on.

Normalizing a thousand values takes up to 50 ms, so it is done in pieces, between which the process serves others. The
statement runs on a connection that single lookups do not use. See docs/decisions/0042-batch-lookups.md.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import NamedTuple, TypeVar
from uuid import UUID

import asyncpg

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.pool import Database
from profile_lookup.database.single_queries.dedicated_connection import DedicatedConnection
from profile_lookup.errors import IdentifierRefused, Unavailable
from profile_lookup.identity.former_values import named_identifiers
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.lookup.batch_queries import LOOKUP_BATCH, Form, profile_ids_by_form
from profile_lookup.lookup.profile_lookup import MAX_ATTEMPTS
from profile_lookup.lookup.queries import EQUAL
from profile_lookup.overload import LOOKUP_BATCHES_AT_ONCE, ConnectionTurn, LoadLimits
from profile_lookup.stores.admission import Admissions
from profile_lookup.stores.rules_cache import StoreRules

PIECE = 0.0005  # seconds after which others are served
DEADLINE = 5.0  # seconds for the statement

T = TypeVar("T")


class LookupResult(NamedTuple):
    normalized_value: NormalizedValue
    profile_ids: Sequence[UUID]


BatchResult = LookupResult | IdentifierRefused
"""What one identifier of a batch leads to."""

_ProfileIds = Mapping[NormalizedIdentifier, Sequence[UUID]]


class BatchLookup:
    """Answers the batch lookups of one process."""

    def __init__(self, database_url: str, database: Database, admissions: Admissions, load_limits: LoadLimits) -> None:
        self._database = database
        self._admissions = admissions
        self._load_limits = load_limits
        self._connections: asyncio.LifoQueue[DedicatedConnection] = asyncio.LifoQueue()
        for _ in range(LOOKUP_BATCHES_AT_ONCE):
            self._connections.put_nowait(DedicatedConnection(database_url))

    async def look_up(
        self, credentials: Credentials, store_id: str, store: StoreRules, identifiers: Sequence[Identifier]
    ) -> Sequence[BatchResult]:
        """Return a result for each identifier, in this order. `store` is what the caller's admission returned.

        Raises what `admit` raises if the caller or the store's rules have changed since, and `Unavailable`.
        """
        for _ in range(MAX_ATTEMPTS):
            found = await self._find(credentials, store, identifiers)
            if found is not None:
                return found
            store = await self._admissions.admit(credentials, store_id, "lookup", cost=0)
        raise Unavailable

    async def close(self) -> None:
        while not self._connections.empty():
            await self._connections.get_nowait().close()

    async def _find(
        self, credentials: Credentials, store: StoreRules, identifiers: Sequence[Identifier]
    ) -> list[BatchResult] | None:
        """Return the results; None if the store has other rules by now, or if the caller may no longer look up."""
        if store.may_hold_former_values:
            return await self._find_in_any_form(credentials, store, identifiers)
        normalized = [_normalized(store, each) async for each in in_pieces(identifiers)]
        unique = dict.fromkeys(each for each in normalized if isinstance(each, NormalizedIdentifier))
        if store.settings.fuzzy_types.isdisjoint(each.id_type for each in unique):
            found = await self._find_equal(credentials, store, unique)
        else:
            found = await self._find_similar(credentials, store, unique)
        if found is None:
            return None
        return [_result(store, each, found) async for each in in_pieces(normalized)]

    async def _find_equal(
        self, credentials: Credentials, store: StoreRules, identifiers: Collection[NormalizedIdentifier]
    ) -> _ProfileIds | None:
        id_types, values = [each.id_type for each in identifiers], [each.value for each in identifiers]
        rows = await self._fetch((*credentials, store.id, id_types, values))
        if not rows or rows[0]["revision"] != store.revision:
            return None
        return {each: row["profile_ids"] for each, row in zip(identifiers, rows, strict=False)}

    async def _fetch(self, arguments: Sequence[object]) -> Sequence[asyncpg.Record]:
        """Return the rows of LOOKUP_BATCH, from a standby or from the primary."""
        rows = await self._database.standbys.fetch(LOOKUP_BATCH, arguments, DEADLINE)
        if rows is not None:
            return rows
        connection = await self._connections.get()
        try:
            return await connection.fetch(LOOKUP_BATCH, arguments, DEADLINE)
        finally:
            self._connections.put_nowait(connection)

    async def _find_similar(
        self, credentials: Credentials, store: StoreRules, identifiers: Collection[NormalizedIdentifier]
    ) -> _ProfileIds | None:
        forms = [_form(store, number, each) for number, each in enumerate(identifiers)]
        found = await self._find_forms(credentials, store, forms)
        return None if found is None else {each: found.get(number, ()) for number, each in enumerate(identifiers)}

    async def _find_in_any_form(
        self, credentials: Credentials, store: StoreRules, identifiers: Sequence[Identifier]
    ) -> list[BatchResult] | None:
        """Do what `_find` does, in a store that may hold values in an earlier form."""
        named = [_named(store, each) async for each in in_pieces(identifiers)]
        forms = [
            _form(store, number, each, is_former=place > 0)
            for number, names in enumerate(named)
            if not isinstance(names, IdentifierRefused)
            for place, each in enumerate(names)
        ]
        found = await self._find_forms(credentials, store, forms)
        if found is None:
            return None
        sent = zip(identifiers, named, strict=True)
        return [
            _result_in_any_form(store, each, names, found.get(number, ()))
            async for number, (each, names) in in_pieces(enumerate(sent))
        ]

    async def _find_forms(
        self, credentials: Credentials, store: StoreRules, forms: Sequence[Form]
    ) -> Mapping[int, Sequence[UUID]] | None:
        """Run a statement that may take long. It takes turns with the fuzzy searches of single lookups."""
        turn = ConnectionTurn(self._load_limits.fuzzy, self._load_limits.fuzzy_turns)
        async with turn:
            await turn.begin()
            rows = await self._database.read(
                partial(profile_ids_by_form, credentials=credentials, store=store, forms=forms)
            )
        if not rows or rows[0].revision != store.revision:
            return None
        return {row.number: row.profile_ids for row in rows if row.number is not None}


async def in_pieces(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield the items, and let the process serve others whenever `PIECE` has passed."""
    begin = perf_counter()
    for each in items:
        yield each
        if perf_counter() > begin + PIECE:
            await asyncio.sleep(0)
            begin = perf_counter()


def _normalized(store: StoreRules, sent: Identifier) -> NormalizedIdentifier | IdentifierRefused:
    try:
        return store.settings.normalize(sent)
    except IdentifierRefused as refused:
        return refused


def _result(store: StoreRules, normalized: NormalizedIdentifier | IdentifierRefused, found: _ProfileIds) -> BatchResult:
    if isinstance(normalized, IdentifierRefused):
        return normalized
    profile_ids = found[normalized]
    if profile_ids and store.blocked_values.block(store.settings, normalized):
        profile_ids = ()  # the operation that removes the value has not come to it yet
    return LookupResult(normalized.value, profile_ids)


def _named(store: StoreRules, sent: Identifier) -> list[NormalizedIdentifier] | IdentifierRefused:
    try:
        return named_identifiers(store.settings, sent)
    except IdentifierRefused as refused:
        return refused


def _form(store: StoreRules, number: int, identifier: NormalizedIdentifier, *, is_former: bool = False) -> Form:
    is_fuzzy = not is_former and identifier.id_type in store.settings.fuzzy_types
    return Form(number, identifier, likeness=EQUAL if is_fuzzy else 0.0, is_fuzzy=is_fuzzy)


def _result_in_any_form(
    store: StoreRules,
    sent: Identifier,
    named: list[NormalizedIdentifier] | IdentifierRefused,
    profile_ids: Sequence[UUID],
) -> BatchResult:
    """Return the result of an identifier. A value that today's rules refuse is found only as it was sent."""
    if isinstance(named, IdentifierRefused):
        return named
    if not profile_ids:
        today = _normalized(store, sent)
        return today if isinstance(today, IdentifierRefused) else LookupResult(today.value, ())
    if store.blocked_values.block(store.settings, named[0]):
        profile_ids = ()
    return LookupResult(named[0].value, profile_ids)
