"""May this caller use this store? One statement answers for credentials and store.

What is checked first is answered first: credentials, the ID in the path, the store, the key's scope; the body after
all of them (`web/body.py`).
"""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path
from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials, PresentedCredentials, Scope
from profile_lookup.database.documents import settings_of
from profile_lookup.database.engine import DatabaseOfApp
from profile_lookup.database.tables import credential, store
from profile_lookup.errors import (
    ScopeMissing,
    StoreIdMalformed,
    StoreNotActive,
    StoreNotFound,
    Unauthenticated,
)
from profile_lookup.identity.rules import IdentityResolutionSettings
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
    """An active store as it was when asked for."""

    id: UUID
    settings: IdentityResolutionSettings
    settings_version: int


async def admit(connection: AsyncConnection, credentials: Credentials, store_id: str, needed: Scope) -> Store:
    """The store, to who may use it.

    Raises `Unauthenticated`, `StoreIdMalformed`, `StoreNotFound`, `StoreNotActive` or `ScopeMissing`, in this order.
    A store of another account does not exist.
    """
    is_well_formed = ids.is_well_formed(ids.STORE_ID_PATTERN, store_id)
    question = (
        select(credential.c.scope, store.c.id, store.c.status, store.c.settings, store.c.settings_version)
        .outerjoin(
            store,
            and_(
                store.c.account_id == credential.c.account_id,
                store.c.id == (ids.decoded(store_id) if is_well_formed else None),
            ),
        )
        .where(credential.c.sid == credentials.sid, credential.c.secret_sha256 == credentials.secret_sha256)
    )
    found = (await connection.execute(question)).one_or_none()
    if found is None:
        raise Unauthenticated
    if not is_well_formed:
        raise StoreIdMalformed
    if found.id is None:
        raise StoreNotFound
    if found.status != "ACTIVE":
        raise StoreNotActive
    if needed == "full" and found.scope != "full":
        raise ScopeMissing
    return Store(found.id, settings_of(found.settings), found.settings_version)


async def _store_with_full_access(
    store_id: StoreIdInPath, credentials: PresentedCredentials, database: DatabaseOfApp
) -> Store:
    async with database.statements() as connection:
        return await admit(connection, credentials, store_id, "full")


StoreOfAccount = Annotated[Store, Depends(_store_with_full_access)]
