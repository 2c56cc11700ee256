"""Revisions of rules that no store had before: a reset and a seed may bring back a store's ID, with other rules."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def make_revisions_new(connection: AsyncConnection) -> None:
    """Give all stores a new revision, so that no process takes the rules that it has cached of their IDs for theirs."""
    await connection.execute(_MAKE_NEW)


# The number of microseconds is larger than any revision before: a store has fewer changes than its time has of these.
_MAKE_NEW = text("""
    update store set revision = cast(extract(epoch from pg_catalog.clock_timestamp()) * 1000000 as bigint)
""")
