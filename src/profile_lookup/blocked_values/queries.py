"""Blocked values in SQL."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import blocked_values_document
from profile_lookup.database.tables import store as store_table
from profile_lookup.identity.blocked_values import BlockedValues
from profile_lookup.stores.rules_cache import StoreRules


async def replace(connection: AsyncConnection, store: StoreRules, blocked_values: BlockedValues) -> None:
    """Put these blocked values in force. The caller holds the exclusive lock on the store's rules."""
    await connection.execute(
        update(store_table)
        .where(store_table.c.account_id == store.account_id, store_table.c.id == store.id)
        .values(
            blocked_values=blocked_values_document(blocked_values),
            blocked_values_version=store_table.c.blocked_values_version + 1,
            revision=store.revision + 1,
        )
    )
