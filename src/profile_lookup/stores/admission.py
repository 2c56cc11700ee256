"""May this caller use this store? One statement answers for credentials and store, and tells the store's rules.

What is checked first is answered first: credentials, the IDs in the path, the store, the key's scope; the body after
all of them (`web/body.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path
from sqlalchemy import Row, and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials, PresentedCredentials, Scope
from profile_lookup.database.documents import settings_of, trait_group_of
from profile_lookup.database.engine import DatabaseOfApp
from profile_lookup.database.tables import credential, store, trait_group
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


_RULES = (
    store.c.account_id,
    store.c.id,
    store.c.status,
    store.c.settings,
    store.c.settings_version,
    store.c.revision,
    store.c.created_at,
    select(func.jsonb_object_agg(trait_group.c.name, trait_group.c.traits))
    .where(trait_group.c.store_id == store.c.id)
    .correlate(store)
    .scalar_subquery()
    .label("trait_groups"),
)


# Made once: to put a statement together takes longer than to ask it.
_ADMISSION = (
    select(credential.c.scope, *_RULES)
    .outerjoin(store, and_(store.c.account_id == credential.c.account_id, store.c.id == bindparam("store_id")))
    .where(credential.c.sid == bindparam("sid"), credential.c.secret_sha256 == bindparam("secret_sha256"))
)


async def admit(
    connection: AsyncConnection,
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
    parameters = {
        "sid": credentials.sid,
        "secret_sha256": credentials.secret_sha256,
        "store_id": ids.decoded(store_id) if is_well_formed else None,
    }
    found = (await connection.execute(_ADMISSION, parameters)).one_or_none()
    if found is None:
        raise Unauthenticated
    if not is_well_formed:
        raise StoreIdMalformed
    if refusal is not None:
        raise refusal
    if found.id is None:
        raise StoreNotFound
    admitted = _store_of(found)
    if needed == "full" and found.scope != "full":
        raise ScopeMissing
    return admitted


async def in_force(connection: AsyncConnection, account_id: UUID, store_id: UUID) -> Store:
    """The store as it is now. Raises `StoreNotFound` or `StoreNotActive`."""
    question = select(*_RULES).where(store.c.account_id == account_id, store.c.id == store_id)
    found = (await connection.execute(question)).one_or_none()
    if found is None:
        raise StoreNotFound
    return _store_of(found)


def _store_of(found: Row[*tuple[Any, ...]]) -> Store:
    if found.status != "ACTIVE":
        raise StoreNotActive
    key = found.id, found.revision
    if key not in _parsed:
        if len(_parsed) >= _MAX_PARSED:
            del _parsed[next(iter(_parsed))]
        _parsed[key] = Store(
            found.account_id,
            found.id,
            settings_of(found.settings),
            found.settings_version,
            {name: trait_group_of(name, traits) for name, traits in (found.trait_groups or {}).items()},
            found.revision,
            found.created_at,
        )
    return _parsed[key]


_MAX_PARSED = 1000
_parsed: dict[tuple[UUID, int], Store] = {}
"""A store at a revision, which never changes: thousands of definitions would take long to read at every request."""


async def _store_with_full_access(
    store_id: StoreIdInPath, credentials: PresentedCredentials, database: DatabaseOfApp
) -> Store:
    async with database.statements() as connection:
        return await admit(connection, credentials, store_id, "full")


StoreOfAccount = Annotated[Store, Depends(_store_with_full_access)]
