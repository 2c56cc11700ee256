"""Reads the whole database, so that tests can see what is left of something."""

from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.database.tables import metadata

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
    """Return the rows of each table as JSON, without the time of a key's last use, which is written later."""
    async with database.statements() as connection:
        return {
            name: list(
                (
                    await connection.execute(text(f"select (to_jsonb({name}) - 'last_used_at')::text from {name}"))
                ).scalars()
            )
            for name in metadata.tables
        }
