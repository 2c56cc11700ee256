"""How Alembic connects.

Several replicas may migrate at the same time: an advisory lock lets one of them do the work, and the others wait and
find it done. A migration that waits for a lock makes every later query wait, so `lock_timeout` makes it fail instead.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection, text

from profile_lookup.database.connections import COMMAND_LIMITS
from profile_lookup.database.engines import create_engine
from profile_lookup.database.tables import metadata

ADVISORY_LOCK = 0x70726F66696C65  # "profile"


def _migrate(connection: Connection) -> None:
    connection.execute(text("set lock_timeout = 0"))
    connection.execute(text("set statement_timeout = '15min'"))
    # Some migrations commit their work in batches, so the lock is the session's: it ends with the connection.
    connection.execute(text("select pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
    connection.execute(text("set lock_timeout = '5s'"))
    connection.commit()
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def _connect_and_migrate() -> None:
    engine = create_engine(context.config.attributes["database_url"], pool_size=None, limits=COMMAND_LIMITS)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate)
            await connection.commit()
    finally:
        await engine.dispose()


asyncio.run(_connect_and_migrate())
