"""May this caller use this store? One statement answers for credentials and store, and tells the store's rules.

What is checked first is answered first: credentials, the IDs in the path, the store, the key's scope; the body after
all of them (`web/body.py`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import Depends, Path
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials, PresentedCredentials, Scope
from profile_lookup.database.documents import settings_of, trait_group_of
from profile_lookup.database.pool import Database, DatabaseOfApp
from profile_lookup.errors import (
    RequestRefused,
    ScopeMissing,
    StoreIdMalformed,
    StoreNotActive,
    StoreNotFound,
    Unauthenticated,
)
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import TraitGroup
from profile_lookup.web import ids

# The pattern is told, not enforced: FastAPI would answer a malformed ID before wrong credentials.
StoreIdInPath = Annotated[
    str,
    Path(
        alias="storeId",
        description="The store. `mem_service_…` names the same store as `mem_store_…`.",
        json_schema_extra={"pattern": ids.STORE_ID_PATTERN},
        examples=[ids.EXAMPLE_STORE_ID],
    ),
]


@dataclass(frozen=True, slots=True)
class Store:
    """An active store and its rules as they were when asked for; they hold while `revision` is the store's."""

    account_id: UUID
    id: UUID
    settings: IdentityResolutionSettings
    settings_version: int
    trait_groups: Mapping[str, TraitGroup]
    revision: int
    created_at: datetime


_RULES = """
    store.account_id, store.id, store.status, store.settings::text, store.settings_version, store.revision,
    store.created_at,
    (
        select jsonb_object_agg(trait_group.name, trait_group.traits) from trait_group
        where trait_group.store_id = store.id
    )::text as trait_groups
"""

_ADMISSION = f"""
    select credential.scope, {_RULES}
    from credential
    left join store on store.account_id = credential.account_id and store.id = $3
    where credential.sid = $1 and credential.secret_sha256 = $2
"""  # noqa: S608 -- made of the constant above

_IN_FORCE = text(f"select {_RULES} from store where store.account_id = :account_id and store.id = :store_id")  # noqa: S608


async def admit(
    database: Database,
    credentials: Credentials,
    store_id: str,
    needed: Scope,
    refusal: RequestRefused | None = None,
) -> Store:
    """The store, to who may use it. `refusal`: what is wrong with another ID in the path.

    Raises `Unauthenticated`, `StoreIdMalformed`, `refusal`, `StoreNotFound`, `StoreNotActive` or `ScopeMissing`, in
    this order. A store of another account does not exist.
    """
    is_well_formed = ids.is_well_formed(ids.STORE_ID_PATTERN, store_id)
    uuid = ids.decoded(store_id) if is_well_formed else None
    found = await database.ask(_ADMISSION, credentials.sid, credentials.secret_sha256, uuid)
    if not found:
        raise Unauthenticated
    if not is_well_formed:
        raise StoreIdMalformed
    if refusal is not None:
        raise refusal
    (row,) = found
    if row["id"] is None:
        raise StoreNotFound
    admitted = _store_of(row)
    if needed == "full" and row["scope"] != "full":
        raise ScopeMissing
    return admitted


async def in_force(connection: AsyncConnection, account_id: UUID, store_id: UUID) -> Store:
    """The store as it is now. Raises `StoreNotFound` or `StoreNotActive`."""
    rows = await connection.execute(_IN_FORCE, {"account_id": account_id, "store_id": store_id})
    found = rows.mappings().one_or_none()
    if found is None:
        raise StoreNotFound
    return _store_of(found)


def _store_of(row: asyncpg.Record | RowMapping) -> Store:
    if row["status"] != "ACTIVE":
        raise StoreNotActive
    key = row["id"], row["revision"]
    if key not in _parsed:
        if len(_parsed) >= _MAX_PARSED:
            del _parsed[next(iter(_parsed))]
        trait_groups = json.loads(row["trait_groups"] or "{}")
        _parsed[key] = Store(
            row["account_id"],
            row["id"],
            settings_of(json.loads(row["settings"])),
            row["settings_version"],
            {name: trait_group_of(name, traits) for name, traits in trait_groups.items()},
            row["revision"],
            row["created_at"],
        )
    return _parsed[key]


_MAX_PARSED = 1000
_parsed: dict[tuple[UUID, int], Store] = {}
"""A store at a revision, which never changes: thousands of definitions would take long to read at every request."""


async def _store_with_full_access(
    store_id: StoreIdInPath, credentials: PresentedCredentials, database: DatabaseOfApp
) -> Store:
    return await admit(database, credentials, store_id, "full")


StoreOfAccount = Annotated[Store, Depends(_store_with_full_access)]
