"""Trait groups in SQL. To change them, a caller must hold the exclusive lock of `stores/rules_lock.py`."""

from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.documents import traits_document
from profile_lookup.database.keyset import Key
from profile_lookup.database.tables import store as store_table
from profile_lookup.database.tables import trait_group
from profile_lookup.errors import TraitGroupLimitReached, TraitGroupNameTaken, TraitGroupNotFound
from profile_lookup.identity.trait_definitions import TraitGroup
from profile_lookup.stores.rules_cache import StoreRules

MAX_GROUPS = 50

KEY = Key((trait_group.c.created_at, trait_group.c.name))


def groups_of(store: StoreRules) -> Select[Any]:
    """Return the query for a store's trait groups, which is to be fetched page by page."""
    return select(trait_group).where(trait_group.c.store_id == store.id)


async def fetch(connection: AsyncConnection, store: StoreRules, name: str) -> Row[Any]:
    """Return a trait group's row. Raises `TraitGroupNotFound`."""
    if name not in store.trait_groups:  # the database might not be able to hold such a name
        raise TraitGroupNotFound
    found: Row[Any] | None = (
        await connection.execute(groups_of(store).where(trait_group.c.name == name))
    ).one_or_none()
    if found is None:
        raise TraitGroupNotFound
    return found


async def create(connection: AsyncConnection, store: StoreRules, group: TraitGroup, description: str | None) -> None:
    """Create a trait group. Raises `TraitGroupNameTaken` or `TraitGroupLimitReached`."""
    if group.name in store.trait_groups:
        raise TraitGroupNameTaken
    if len(store.trait_groups) >= MAX_GROUPS:
        raise TraitGroupLimitReached(MAX_GROUPS)
    await connection.execute(
        insert(trait_group).values(
            store_id=store.id,
            name=group.name,
            description=description,
            traits=traits_document(group),
            version=1,
            created_at=CLOCK.now(),
        )
    )
    await _revise(connection, store)


async def replace(
    connection: AsyncConnection, store: StoreRules, current: Row[Any], group: TraitGroup, description: str | None
) -> None:
    await connection.execute(
        update(trait_group)
        .where(trait_group.c.store_id == store.id, trait_group.c.name == group.name)
        .values(description=description, traits=traits_document(group), version=current.version + 1)
    )
    await _revise(connection, store)


async def remove(connection: AsyncConnection, store: StoreRules, name: str) -> None:
    await connection.execute(delete(trait_group).where(trait_group.c.store_id == store.id, trait_group.c.name == name))
    await _revise(connection, store)


async def _revise(connection: AsyncConnection, store: StoreRules) -> None:
    await connection.execute(
        update(store_table)
        .where(store_table.c.account_id == store.account_id, store_table.c.id == store.id)
        .values(revision=store.revision + 1)
    )
