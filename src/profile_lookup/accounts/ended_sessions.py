"""The sessions of the console that people have ended by signing out.

A session is in its cookie and nowhere else, and somebody may have copied that. So whoever signs out leaves the ID of
the session here until the cookie would be refused for its age.
"""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.tables import ended_session


async def end_session(connection: AsyncConnection, session_id: str, expires_at: datetime) -> None:
    """Refuse the session until `expires_at`, and delete the rows of sessions that have expired."""
    await connection.execute(delete(ended_session).where(ended_session.c.expires_at <= CLOCK.now()))
    await connection.execute(
        upsert(ended_session).values(session_id=session_id, expires_at=expires_at).on_conflict_do_nothing()
    )
