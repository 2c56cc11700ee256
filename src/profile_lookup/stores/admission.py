"""Decides by one statement whether a caller may use a store, and returns the store's rules.

These are checked in this order, and the first failure is the answer: credentials, the caller's rate limits, the IDs in
the path, the store, the key's scope. The body comes after all of them (`web/body.py`).
"""

import json
from collections import OrderedDict
from time import monotonic
from typing import NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.accounts.grants import Scope
from profile_lookup.accounts.last_use import LastUse
from profile_lookup.accounts.rate_limits import CallerBuckets, RateLimits
from profile_lookup.accounts.verification import MAY_USE_STORE, verified
from profile_lookup.database.documents import blocked_values_of, settings_of, trait_group_of
from profile_lookup.database.pool import Database
from profile_lookup.errors import (
    ProfileLookupError,
    RequestRefused,
    ScopeMissing,
    StoreIdMalformed,
    StoreNotActive,
    StoreNotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from profile_lookup.identity.values.normalization_version import CURRENT, NormalizationVersion
from profile_lookup.stores.rules_cache import RULES, StoreRules
from profile_lookup.token_buckets import RateLimit
from profile_lookup.web import ids

MAX_KNOWN_CALLERS = 10_000
"""The maximum number of pairs of a caller and a store that one process caches, of some hundred bytes each."""
KNOWN_FOR = 10.0
"""Seconds until a cached caller is admitted anew, so that another limit of its key counts by then."""

_RULES = """
    store.account_id, store.id, store.status, store.settings_version, store.revision, store.created_at,
    store.normalization::text as normalization, store.kept_values, store.renormalized_by::text as renormalized_by,
    store.blocked_values_version,
    case when store.revision is distinct from {known_revision} then store.settings::text end as settings,
    case when store.revision is distinct from {known_revision} then store.blocked_values::text end as blocked_values,
    case when store.revision is distinct from {known_revision} then (
        select jsonb_object_agg(trait_group.name, trait_group.traits) from trait_group
        where trait_group.store_id = store.id
    )::text end as trait_groups
"""
"""The database sends the documents only if the store's revision differs from the cached one."""

_ADMISSION = f"""
    select
        credential.account_id as caller_account_id, credential.scopes, credential.rate_per_second,
        credential.rate_burst, {_RULES.format(known_revision="$4::bigint")}
    from credential
    left join store on store.account_id = credential.account_id and store.id = $3 and {MAY_USE_STORE}
    where {verified("$1", "$2")}
"""  # noqa: S608 -- made of constants

_IN_FORCE = text(f"""
    select {_RULES.format(known_revision="cast(:known_revision as bigint)")}
    from store where store.account_id = :account_id and store.id = :store_id
""")  # noqa: S608 -- made of the constant above


async def rules_in_force(connection: AsyncConnection, account_id: UUID, store_id: UUID) -> StoreRules:
    """Return the store with its current rules. Raises `StoreNotFound` or `StoreNotActive`."""
    cached = RULES.get(store_id)
    revision = None if cached is None else cached.revision
    parameters = {"account_id": account_id, "store_id": store_id, "known_revision": revision}
    found = (await connection.execute(_IN_FORCE, parameters)).mappings().one_or_none()
    if found is None:
        raise StoreNotFound
    return _store_of(found, cached)


def _store_of(row: asyncpg.Record | RowMapping, cached: StoreRules | None) -> StoreRules:
    if row["status"] != "ACTIVE":
        raise StoreNotActive
    if row["settings"] is None:
        assert cached is not None  # the statement compared its revision
        return cached
    trait_groups = json.loads(row["trait_groups"] or "{}")
    settings = settings_of(json.loads(row["settings"]))
    blocked_values = blocked_values_of(json.loads(row["blocked_values"]))
    renormalized_by = json.loads(row["renormalized_by"] or "null")
    version = NormalizationVersion.from_document(json.loads(row["normalization"]))
    store = StoreRules(
        row["account_id"],
        row["id"],
        settings,
        row["settings_version"],
        {name: trait_group_of(name, traits) for name, traits in trait_groups.items()},
        row["revision"],
        row["created_at"],
        version,
        row["kept_values"],
        blocked_values if version == CURRENT else blocked_values.adapted_to(settings),
        row["blocked_values_version"],
        renormalized_by and NormalizationVersion.from_document(renormalized_by),
    )
    RULES.put(store)
    return store


class KnownCaller(NamedTuple):
    """A caller who was admitted to a store lately. `caller` is one object for all requests that have it in common."""

    caller: tuple[Credentials, UUID]
    scopes: frozenset[str]
    buckets: CallerBuckets
    until: float


class Admission(NamedTuple):
    """`buckets` are those from which the caller's requests are taken."""

    store: StoreRules
    buckets: CallerBuckets


class Admissions:
    """Admits callers to stores, and caches whom it admitted, so that hot operations need not query that first.

    The cached rules of a store are used only for callers who were admitted to it. For anybody else, an answer takes as
    many statements as if the store did not exist.
    """

    def __init__(self, database: Database, limits: RateLimits, last_use: LastUse) -> None:
        self._database = database
        self._limits = limits
        self._last_use = last_use
        self._known: OrderedDict[tuple[Credentials, str], KnownCaller] = OrderedDict()

    async def admit(
        self,
        credentials: Credentials,
        store_id: str,
        needed: Scope,
        refusal: RequestRefused | None = None,
        *,
        cost: int = 1,
    ) -> StoreRules:
        """Return the store if the caller may use it now. The arguments and errors are those of `admission`."""
        return (await self.admission(credentials, store_id, needed, refusal, cost=cost)).store

    async def admission(
        self,
        credentials: Credentials,
        store_id: str,
        needed: Scope,
        refusal: RequestRefused | None = None,
        *,
        cost: int = 1,
    ) -> Admission:
        """Admit the caller to the store. `refusal` says that another ID in the path is malformed.

        `cost` says as how many requests it counts; it is 0 if the request was counted before. Raises `Unauthenticated`,
        `TooManyRequests`, `StoreIdMalformed`, `refusal`, `StoreNotFound`, `StoreNotActive` or `ScopeMissing`, in this
        order. For a store of another account, and for one that the key is not for, this is `StoreNotFound`.
        """
        key = credentials, store_id
        try:
            admitted, scopes, buckets = await self._admit(credentials, store_id, needed, refusal, cost)
        except (Unavailable, TooManyRequests):
            raise
        except ProfileLookupError:
            self._known.pop(key, None)
            raise
        self._last_use.note(credentials)
        self._known[key] = KnownCaller((credentials, admitted.id), scopes, buckets, monotonic() + KNOWN_FOR)
        self._known.move_to_end(key)
        if len(self._known) > MAX_KNOWN_CALLERS:
            self._known.popitem(last=False)
        return Admission(admitted, buckets)

    async def _admit(
        self, credentials: Credentials, store_id: str, needed: Scope, refusal: RequestRefused | None, cost: int
    ) -> tuple[StoreRules, frozenset[str], CallerBuckets]:
        is_well_formed = ids.is_well_formed(ids.STORE_ID_PATTERN, store_id)
        uuid = ids.decoded(store_id) if is_well_formed else None
        cached = RULES.get(uuid)
        revision = None if cached is None else cached.revision
        found = await self._database.fetch(_ADMISSION, credentials.sid, credentials.secret_sha256, uuid, revision)
        if not found:
            raise Unauthenticated
        (row,) = found
        own = RateLimit.of_columns(row["rate_per_second"], row["rate_burst"])
        buckets = self._limits.buckets_of(credentials.sid, row["caller_account_id"], own)
        if cost:
            self._limits.take(buckets, cost=cost)
        if not is_well_formed:
            raise StoreIdMalformed
        if refusal is not None:
            raise refusal
        if row["id"] is None:
            raise StoreNotFound
        admitted = _store_of(row, cached)
        scopes = frozenset(row["scopes"])
        if needed not in scopes:
            raise ScopeMissing(needed)
        return admitted, scopes, buckets

    def known(self, credentials: Credentials, store_id: str, needed: Scope) -> StoreRules | None:
        """Return the cached store if the caller was admitted to it lately, and had this scope then, else None.

        In the first case the request counts as one; raises `TooManyRequests`. The caller may have lost access since,
        and the rules may have changed. Whoever uses this must check both by its own statement before it answers.
        """
        key = credentials, store_id
        known = self._known.get(key)
        if known is None or needed not in known.scopes:
            return None
        now = monotonic()
        if known.until < now:  # this request is admitted anew; those beside it need not be
            self._known[key] = known._replace(until=now + KNOWN_FOR)
            return None
        store = RULES.get(known.caller[1])
        if store is not None:
            self.count(known, now)
        return store

    def cached(self, credentials: Credentials, store_id: str, needed: Scope, now: float) -> KnownCaller | None:
        """Return the caller if `known` would return a store now, if that is cached. Change and count nothing."""
        known = self._known.get((credentials, store_id))
        return None if known is None or known.until < now or needed not in known.scopes else known

    def count(self, known: KnownCaller, now: float) -> None:
        """Count a request of a cached caller. Raises `TooManyRequests`."""
        self._limits.take(known.buckets, now)
        self._last_use.note(known.caller[0])
