"""Stores in SQL."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.documents import blocked_values_document, settings_document, traits_document
from profile_lookup.database.ids import new_id
from profile_lookup.database.tables import account, operation, profile_import, store, trait_group
from profile_lookup.errors import StoreLimitReached, StoreNameTaken, StoreNotFound, Unauthenticated
from profile_lookup.identity.blocked_values import NEW_STORES_BLOCKED_VALUES, BlockedValues
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.identity.values.normalization_version import CURRENT
from profile_lookup.operations.kinds import OperationKind


async def create(
    connection: AsyncConnection,
    account_id: UUID,
    *,
    display_name: str,
    description: str | None,
    max_stores: int,
    blocked_values: BlockedValues = NEW_STORES_BLOCKED_VALUES,
    store_id: UUID | None = None,
) -> UUID:
    """Create a store with the default settings and trait group, and return its ID: a new one, unless it is given.

    Raises `StoreNameTaken`, `StoreLimitReached`, or `Unauthenticated` if the account was deleted meanwhile.
    """
    if not await _lock_names(connection, account_id):
        raise Unauthenticated
    if await find(connection, account_id, display_name) is not None:
        raise StoreNameTaken
    if await _count(connection, account_id) >= max_stores:
        raise StoreLimitReached(max_stores)
    store_id = store_id or new_id()
    now = CLOCK.now()
    await connection.execute(
        insert(store).values(
            account_id=account_id,
            id=store_id,
            display_name=display_name,
            description=description,
            status="ACTIVE",
            version=1,
            settings=settings_document(DEFAULT_SETTINGS),
            settings_version=1,
            normalization=CURRENT.to_document(),
            kept_values=0,
            blocked_values=blocked_values_document(blocked_values),
            blocked_values_version=1,
            revision=1,
            created_at=now,
        )
    )
    await connection.execute(
        insert(trait_group).values(
            store_id=store_id, name=CONTACT.name, traits=traits_document(CONTACT), version=1, created_at=now
        )
    )
    return store_id


async def find(connection: AsyncConnection, account_id: UUID, display_name: str) -> UUID | None:
    found: UUID | None = await connection.scalar(
        select(store.c.id).where(store.c.account_id == account_id, store.c.display_name == display_name)
    )
    return found


def stores_of(account_id: UUID, only: Collection[UUID] | None = None) -> Select[Any]:
    """Return the query for the IDs of an account's stores, or of `only` these, which is to be fetched page by page."""
    query = select(store.c.id).where(store.c.account_id == account_id)
    return query if only is None else query.where(store.c.id.in_(only))


async def of_account(connection: AsyncConnection, account_id: UUID) -> Sequence[Row[UUID, str, str, datetime]]:
    """Return (id, display_name, status, created_at) of an account's stores, oldest first."""
    query = (
        select(store.c.id, store.c.display_name, store.c.status, store.c.created_at)
        .where(store.c.account_id == account_id)
        .order_by(store.c.id)
    )
    return (await connection.execute(query)).all()


async def lock(connection: AsyncConnection, account_id: UUID, store_id: UUID) -> Row[Any]:
    """Lock the names of the account's stores until the transaction ends, and return the row. Raises `StoreNotFound`."""
    await _lock_names(connection, account_id)
    return await fetch(connection, account_id, store_id)


async def fetch(connection: AsyncConnection, account_id: UUID, store_id: UUID) -> Row[Any]:
    """Return the whole row of a store. Raises `StoreNotFound`."""
    query = select(store).where(store.c.account_id == account_id, store.c.id == store_id)
    found = (await connection.execute(query)).one_or_none()
    if found is None:
        raise StoreNotFound
    return found


async def data_as_of(connection: AsyncConnection, store_id: UUID) -> datetime:
    """Return the time up to which everything that clients sent is in the store.

    It is now, or the start of the store's oldest unfinished batch, or import whose file has arrived.
    """
    of_operation = and_(profile_import.c.account_id == operation.c.account_id, profile_import.c.id == operation.c.id)
    query = (
        select(func.coalesce(func.min(operation.c.created_at), func.statement_timestamp()))
        .outerjoin(profile_import, of_operation)
        .where(
            operation.c.completed_at.is_(None),
            operation.c.store_id == store_id,
            or_(operation.c.kind == OperationKind.UPDATE_PROFILES_BULK, profile_import.c.uploaded_at.is_not(None)),
        )
    )
    time: datetime = (await connection.execute(query)).scalar_one()
    return time


async def rename(connection: AsyncConnection, locked: Row[Any], *, display_name: str, description: str | None) -> None:
    """Change the name and description of a locked store. Raises `StoreNameTaken`."""
    if await find(connection, locked.account_id, display_name) not in (None, locked.id):
        raise StoreNameTaken
    await connection.execute(
        update(store)
        .where(store.c.account_id == locked.account_id, store.c.id == locked.id)
        .values(display_name=display_name, description=description, version=locked.version + 1)
    )


async def remove(connection: AsyncConnection, account_id: UUID, store_id: UUID) -> None:
    """Delete a store and its trait groups; a worker erases its profiles and imports later."""
    await connection.execute(delete(trait_group).where(trait_group.c.store_id == store_id))
    await connection.execute(delete(store).where(store.c.account_id == account_id, store.c.id == store_id))


async def _lock_names(connection: AsyncConnection, account_id: UUID) -> bool:
    """Let one transaction at a time create or rename stores of an account, so that counts and names stay true.

    Return whether the account exists.
    """
    existing = select(account.c.id).where(account.c.id == account_id, account.c.deleted_at.is_(None))
    return await connection.scalar(existing.with_for_update(key_share=True)) is not None


async def _count(connection: AsyncConnection, account_id: UUID) -> int:
    count = await connection.scalar(select(func.count()).select_from(store).where(store.c.account_id == account_id))
    return count or 0
