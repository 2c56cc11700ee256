"""Exports and restores stores as the commands do."""

from uuid import UUID

from sqlalchemy import text

from profile_lookup.archives.reader import restore
from profile_lookup.archives.wire.lines import line_of
from profile_lookup.archives.writer import header_of, profiles_of
from profile_lookup.database.pool import Database
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.web import ids


async def rules_of(database: Database, store_id: str) -> StoreRules:
    async with database.statements() as connection:
        account_id = await connection.scalar(text("select account_id from store"))
        return await rules_in_force(connection, account_id, ids.decoded(store_id) or UUID(int=0))


async def exported(database: Database, store_id: str) -> list[bytes]:
    store = await rules_of(database, store_id)
    async with database.snapshot() as connection:
        lines = [line_of(await header_of(connection, store))]
        async for profiles in profiles_of(connection, store):
            lines += map(line_of, profiles)
    return lines


async def restore_lines(database: Database, store_id: str, lines: list[bytes]) -> int:
    store = await rules_of(database, store_id)
    async with database.transaction() as connection:
        locked = await lock_rules(connection, store.account_id, store.id)
        return await restore(connection, locked, lines, lambda _done, _of: None)
