"""Makes very many profiles that share one value, without a request for each."""

from sqlalchemy import text

from profile_lookup.database.pool import Database

_CROWD = text("""
    with made as (
        insert into profile (store_id, id, created_at)
        select id, gen_random_uuid(), now() from store, generate_series(1, :size)
        returning store_id, id
    )
    insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
    select store_id, 'chat', 'lobby', id, uuid_send(id), now() from made
""")


async def make_crowd(database: Database, size: int) -> None:
    """Make so many profiles in every store, which all have the chat ID `lobby`."""
    async with database.transaction() as connection:
        await connection.execute(_CROWD, {"size": size})
