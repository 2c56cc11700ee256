"""Whether a connection's database is distributed over nodes of Citus."""

import asyncpg

_IS_DISTRIBUTED = "select exists (select from pg_proc where proname = 'merge_profiles')"

# Citus finds the node of a store by a parameter, which a generic plan does not know. And it hides shards by a function
# that it calls for each relation: the driver's query for a type takes a second by that, and 20 ms without it.
_SETTINGS = "set plan_cache_mode = auto; set citus.override_table_visibility = off"


async def notice_citus(connection: asyncpg.Connection) -> bool:
    """Return whether `profile-lookup distribute` has distributed the database, and if so, change the session for that.

    If that fails or is cancelled, nobody gets the connection, and it is closed.
    """
    try:
        is_distributed = bool(await connection.fetchval(_IS_DISTRIBUTED))
        if is_distributed:
            await connection.execute(_SETTINGS)
    except BaseException:
        connection.terminate()
        raise
    return is_distributed
