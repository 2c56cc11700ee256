"""Finds settings that a connection names when it is opened and does not have, because PgBouncer ignores them."""

from profile_lookup.database.connections import TimeLimits, connect, server_settings

_UNUSED_BEHIND_POOLER = ("application_name", "tcp_keepalives", "tcp_user_timeout")
"""The beginnings of names. These settings are about the connection that PostgreSQL itself has with a client."""

# In `pg_settings`, times are numbers of milliseconds, and `TimeZone` is written with capitals.
_MISSING = """
    select format('ALTER ROLE %I SET %s = %L', current_user, wanted.name, wanted.value)
    from unnest($1::text[], $2::text[]) with ordinality as wanted (name, value, position)
    left join pg_settings as actual on lower(actual.name) = wanted.name
    where actual.setting is distinct from wanted.value
    order by wanted.position
"""


async def missing_settings(database_url: str, limits: TimeLimits) -> list[str]:
    """Return the statements that give the connection's role the settings that it lacks. Raises `Unavailable`."""
    wanted = {
        name: value.removesuffix("ms")
        for name, value in server_settings(limits).items()
        if not name.startswith(_UNUSED_BEHIND_POOLER)
    }
    connection = await connect(database_url, limits)
    if connection.is_distributed:
        del wanted["plan_cache_mode"]  # `connect` sets another one
    try:
        return [row[0] for row in await connection.fetch(_MISSING, list(wanted), list(wanted.values()))]
    finally:
        await connection.close()
