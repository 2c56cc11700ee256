"""Saves the state of a server for tests once it has started, and restores it, row by row.

Nothing is resolved anew, so all IDs are the same again, and a reset takes some ten milliseconds.
"""

from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.database.tables import metadata, signing_key
from profile_lookup.errors import Unavailable
from profile_lookup.testing.revisions import make_revisions_new

MAX_ATTEMPTS = 50
_LOCK_TIMEOUT = "100ms"

_TABLES = {
    table.name: ", ".join(column.name for column in table.columns if column.computed is None)
    for table in metadata.sorted_tables
    if table is not signing_key
}
"""All tables that requests change, each after those that it refers to, and their columns but for computed ones."""


async def save(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("create schema testing_snapshot"))
        for name in _TABLES:
            await connection.execute(text(f"create table testing_snapshot.{name} as table {name}"))


async def restore(database: Database) -> None:
    """Restore the saved state.

    A request that is under way is done before or after that. An operation that is under way ends: its next step does
    not find its lease any more, and is rolled back. Raises `Unavailable` if others hold locks for too long.
    """
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return await _restore(database)
        except Unavailable:  # a transaction that is under way waits for us, or we for it: let it finish
            if attempt == MAX_ATTEMPTS:
                raise
    return None


async def _restore(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(f"set local lock_timeout = '{_LOCK_TIMEOUT}'"))
        await connection.execute(text(f"truncate {', '.join(_TABLES)}"))
        for name, columns in _TABLES.items():
            # Identifiers with names bring their suspects with them.
            insert = (
                f"insert into {name} ({columns}) select {columns} from testing_snapshot.{name} on conflict do nothing"  # noqa: S608 -- names of ours
            )
            await connection.execute(text(insert))
        await make_revisions_new(connection)
