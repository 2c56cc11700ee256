"""Reads the whole database, so that tests can see what is left of something."""

from sqlalchemy import select, text

from profile_lookup.database.event_rows import numbered_events
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import event, metadata
from profile_lookup.identity.history.event import Event

TRAITS = """
    select
        profile.store_id, profile.id as profile_id, described.key as group_name, written.key as name,
        written.value -> 0 as value,
        coalesce(
            timestamptz 'epoch' + cast(written.value -> 1 as bigint) * interval '1 microsecond', profile.created_at
        ) as written_at
    from profile
    cross join lateral jsonb_each(traits) as described
    cross join lateral jsonb_each(described.value) as written
"""
"""A query for the traits of all profiles, each in a row."""


async def contents(database: Database) -> dict[str, list[str]]:
    """Return the rows of each table as JSON, sorted, without the time of a key's last use, which is written later."""
    async with database.statements() as connection:
        return {
            name: sorted(
                (
                    await connection.execute(text(f"select (to_jsonb({name}) - 'last_used_at')::text from {name}"))
                ).scalars()
            )
            for name in metadata.tables
        }


async def stored_events(database: Database, *kinds: str) -> list[Event]:
    """Return the stored events of profiles, of these kinds or of all, in the order of their numbers."""
    query = select(event).where(event.c.profile_id.is_not(None)).order_by(event.c.number)
    async with database.statements() as connection:
        rows = await connection.execute(query.where(event.c.kind.in_(kinds)) if kinds else query)
        return [stored for _, stored in numbered_events(rows)]
