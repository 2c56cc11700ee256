"""Inserts very many operations, and counts what it costs to find some of them."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.pool import Database
from profile_lookup.stores.rules_cache import StoreRules

_INSERT = text("""
    insert into operation (account_id, id, store_id, kind, status, input, progress, attempts, created_at, waits_until)
    select :account_id, gen_random_uuid(), case when :is_one_store then cast(:store_id as uuid)
        else gen_random_uuid() end, 'COUNT', 'PENDING', '{}', '{}', 0, now(), cast(:until as timestamptz)
    from generate_series(1, :number)
""")
_PAGES = text("""
    select sum(coalesce(heap_blks_read + heap_blks_hit, 0) + coalesce(idx_blks_read + idx_blks_hit, 0))
    from pg_statio_user_tables where relname in ('operation', 'operation_turn')
""")


async def insert_operations(
    database: Database, store: StoreRules, number: int, *, is_one_store: bool, waits_until: datetime | None
) -> None:
    """Insert as many operations of this store, or each of another store, which nobody has created."""
    parameters = {"account_id": store.account_id, "store_id": store.id, "is_one_store": is_one_store}
    async with database.transaction() as connection:
        await connection.execute(text("set local statement_timeout = 0"))
        # What it reads would be counted, and what it learns would change plans, at any moment.
        await connection.execute(text("alter table operation set (autovacuum_enabled = off)"))
        await connection.execute(_INSERT, {**parameters, "until": waits_until, "number": number})


async def pages_read(database: Database, action: Callable[[AsyncConnection], Awaitable[None]]) -> int:
    """Return how many pages of the tables and indexes of the queue the action reads."""
    async with database.transaction() as connection:
        await connection.execute(text("select pg_stat_force_next_flush()"))
    async with database.transaction() as connection:
        before = (await connection.execute(_PAGES)).scalar_one()
    async with database.transaction() as connection:
        await action(connection)
        await connection.execute(text("select pg_stat_force_next_flush()"))
    async with database.transaction() as connection:
        return int((await connection.execute(_PAGES)).scalar_one() - before)
