"""May this caller use this store, and by which rules? One statement answers.

What is checked first is answered first: credentials, the IDs in the path, the store, the key's scope. The body comes
after all of them (`web/body.py`).
"""

import json
from collections import OrderedDict
from typing import NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials, Scope
from profile_lookup.database.documents import settings_of, trait_group_of
from profile_lookup.database.pool import Database
from profile_lookup.errors import (
    ProfileLookupError,
    RequestRefused,
    ScopeMissing,
    StoreIdMalformed,
    StoreNotActive,
    StoreNotFound,
    Unauthenticated,
    Unavailable,
)
from profile_lookup.stores.rules_cache import RULES, Store
from profile_lookup.web import ids

MAX_KNOWN_CALLERS = 10_000
"""Callers, each with a store, that one process knows: some hundred bytes each."""

_RULES = """
    store.account_id, store.id, store.status, store.settings_version, store.revision, store.created_at,
    case when store.revision is distinct from {known_revision} then store.settings::text end as settings,
    case when store.revision is distinct from {known_revision} then (
        select jsonb_object_agg(trait_group.name, trait_group.traits) from trait_group
        where trait_group.store_id = store.id
    )::text end as trait_groups
"""
"""The documents are sent only where the revision is another one than the one that is cached."""

_ADMISSION = f"""
    select credential.scope, {_RULES.format(known_revision="$4::integer")}
    from credential
    left join store on store.account_id = credential.account_id and store.id = $3
    where credential.sid = $1 and credential.secret_sha256 = $2
"""  # noqa: S608 -- made of the constant above

_IN_FORCE = text(f"""
    select {_RULES.format(known_revision="cast(:known_revision as integer)")}
    from store where store.account_id = :account_id and store.id = :store_id
""")  # noqa: S608 -- made of the constant above


async def admit(
    database: Database,
    credentials: Credentials,
    store_id: str,
    needed: Scope,
    refusal: RequestRefused | None = None,
) -> Store:
    """Return the store if the caller may use it. `refusal` is raised if another ID in the path is malformed.

    Raises `Unauthenticated`, `StoreIdMalformed`, `refusal`, `StoreNotFound`, `StoreNotActive` or `ScopeMissing`, in
    this order. A store of another account does not exist.
    """
    is_well_formed = ids.is_well_formed(ids.STORE_ID_PATTERN, store_id)
    uuid = ids.decoded(store_id) if is_well_formed else None
    cached = RULES.get(uuid)
    revision = None if cached is None else cached.revision
    found = await database.fetch(_ADMISSION, credentials.sid, credentials.secret_sha256, uuid, revision)
    if not found:
        raise Unauthenticated
    if not is_well_formed:
        raise StoreIdMalformed
    if refusal is not None:
        raise refusal
    (row,) = found
    if row["id"] is None:
        raise StoreNotFound
    admitted = _store_of(row, cached)
    if needed == "full" and row["scope"] != "full":
        raise ScopeMissing
    return admitted


async def in_force(connection: AsyncConnection, account_id: UUID, store_id: UUID) -> Store:
    """Return the store with its rules as they are now. Raises `StoreNotFound` or `StoreNotActive`."""
    cached = RULES.get(store_id)
    revision = None if cached is None else cached.revision
    parameters = {"account_id": account_id, "store_id": store_id, "known_revision": revision}
    found = (await connection.execute(_IN_FORCE, parameters)).mappings().one_or_none()
    if found is None:
        raise StoreNotFound
    return _store_of(found, cached)


def _store_of(row: asyncpg.Record | RowMapping, cached: Store | None) -> Store:
    if row["status"] != "ACTIVE":
        raise StoreNotActive
    if row["settings"] is None:
        assert cached is not None  # its revision was sent
        return cached
    trait_groups = json.loads(row["trait_groups"] or "{}")
    store = Store(
        row["account_id"],
        row["id"],
        settings_of(json.loads(row["settings"])),
        row["settings_version"],
        {name: trait_group_of(name, traits) for name, traits in trait_groups.items()},
        row["revision"],
        row["created_at"],
    )
    RULES.put(store)
    return store


class _Known(NamedTuple):
    store_id: UUID
    scope: Scope


class Admissions:
    """Admits callers to stores, and remembers whom it admitted: a hot operation need not ask for that first.

    What is known of a store is known for those who were admitted to it. To anybody else the store is as unknown as one
    that does not exist, and an answer takes as many statements.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[tuple[Credentials, str], _Known] = OrderedDict()

    async def admit(
        self, credentials: Credentials, store_id: str, needed: Scope, refusal: RequestRefused | None = None
    ) -> Store:
        """Return the store if the caller may use it now. Raises what `admit` raises."""
        key = credentials, store_id
        try:
            store = await admit(self._database, credentials, store_id, needed, refusal)
        except Unavailable:
            raise
        except ProfileLookupError:
            self._known.pop(key, None)
            raise
        last = self._known.get(key)
        self._known[key] = _Known(store.id, "full" if last is not None and last.scope == "full" else needed)
        self._known.move_to_end(key)
        if len(self._known) > MAX_KNOWN_CALLERS:
            self._known.popitem(last=False)
        return store

    def known(self, credentials: Credentials, store_id: str, needed: Scope) -> Store | None:
        """Return the store by which the caller was last admitted with this scope; None if that is not known.

        The caller may have lost the right since, and the rules may have changed: whoever goes by this finds out by a
        statement of its own before it answers.
        """
        known = self._known.get((credentials, store_id))
        if known is None or (needed == "full" and known.scope != "full"):
            return None
        self._known.move_to_end((credentials, store_id))
        return RULES.get(known.store_id)
