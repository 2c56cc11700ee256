"""Reads the whole database, so that tests can see what is left of something."""

from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.database.tables import metadata


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
