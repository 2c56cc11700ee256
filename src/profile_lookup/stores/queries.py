"""Stores in SQL."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import settings_document, traits_document
from profile_lookup.database.ids import new_id
from profile_lookup.database.tables import account, store, trait_group
from profile_lookup.errors import LimitReached, NameTaken
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.traits import CONTACT


async def create(
    connection: AsyncConnection,
    account_id: UUID,
    *,
    display_name: str,
    description: str | None,
    max_stores: int,
) -> UUID:
    """A new store with the default settings and trait group. Raises `NameTaken` or `LimitReached`."""
    # One creation at a time in an account, so that what is counted below stays true.
    await connection.execute(select(account.c.id).where(account.c.id == account_id).with_for_update(key_share=True))
    if await find(connection, account_id, display_name) is not None:
        raise NameTaken
    if await _count(connection, account_id) >= max_stores:
        raise LimitReached(max_stores)
    store_id = new_id()
    now = datetime.now(UTC)
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


async def of_account(connection: AsyncConnection, account_id: UUID) -> Sequence[Row[UUID, str, str, datetime]]:
    """(id, display_name, status, created_at) of an account's stores, oldest first."""
    question = (
        select(store.c.id, store.c.display_name, store.c.status, store.c.created_at)
        .where(store.c.account_id == account_id)
        .order_by(store.c.id)
    )
    return (await connection.execute(question)).all()


async def _count(connection: AsyncConnection, account_id: UUID) -> int:
    count = await connection.scalar(select(func.count()).select_from(store).where(store.c.account_id == account_id))
    return count or 0
