"""One-time codes that sign a person in to the console as an API key, without its secret.

The database has only the digest of a code. Whoever uses a code deletes its row, so one code signs in once.
"""

from datetime import timedelta

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import digest, new_secret
from profile_lookup.clock import CLOCK
from profile_lookup.database.tables import sign_in_link

VALID_FOR = timedelta(hours=1)


async def make_code(connection: AsyncConnection, sid: str) -> str:
    """Return a new code for the credentials with this SID, and delete the codes that have expired."""
    now = CLOCK.now()
    await connection.execute(delete(sign_in_link).where(sign_in_link.c.expires_at <= now))
    code = new_secret()
    await connection.execute(insert(sign_in_link).values(code_sha256=digest(code), sid=sid, expires_at=now + VALID_FOR))
    return code


async def use_code(connection: AsyncConnection, code: str) -> str | None:
    """Return the SID that the code is for, once; None if there is no such code, or if it was used or has expired."""
    used = (
        delete(sign_in_link)
        .where(sign_in_link.c.code_sha256 == digest(code), sign_in_link.c.expires_at > CLOCK.now())
        .returning(sign_in_link.c.sid)
    )
    sid: str | None = await connection.scalar(used)
    return sid
