"""The secrets by which this service signs page tokens and upload addresses.

All replicas use the same ones: a migration made the first, and `profile-lookup signing-keys rotate` makes others. A
signature by any of them is valid. The newest one signs as soon as every process has read it.
"""

import secrets
import time
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.pool import Database
from profile_lookup.database.tables import signing_key

REREAD_AFTER = 60.0  # seconds
SIGNS_AFTER = timedelta(seconds=2 * REREAD_AFTER)
"""The time from making a key until it signs. By then every process has read it, and can verify its signatures."""

_SECRET_LENGTH = 32  # bytes


class SigningKey:
    """Reads the secrets when they are needed, and caches them for a minute."""

    def __init__(self, database: Database, reread_after: float = REREAD_AFTER) -> None:
        self._database = database
        self._reread_after = reread_after
        self._secrets: Sequence[bytes] = ()
        self._read_at = 0.0

    async def secrets(self) -> Sequence[bytes]:
        """Return the secrets, all of which verify; the last one signs. Raises `Unavailable`."""
        if not self._secrets or time.monotonic() - self._read_at > self._reread_after:
            read_at = time.monotonic()
            async with self._database.statements() as connection:
                self._secrets = list((await connection.execute(_SECRETS)).scalars())
            self._read_at = read_at
        return self._secrets


# Keys that do not sign yet come first.
_SECRETS = select(signing_key.c.secret).order_by(signing_key.c.signs_from <= func.now(), signing_key.c.id)


async def rotate_signing_key(connection: AsyncConnection, *, revokes_former: bool) -> None:
    """Make a key that signs once every process has read it.

    `revokes_former` deletes all others: what they signed is refused as soon as a process reads the keys again.
    """
    last = await connection.scalar(select(func.max(signing_key.c.id)))
    if revokes_former:
        await connection.execute(delete(signing_key))
    await connection.execute(
        insert(signing_key).values(
            id=(last or 0) + 1,
            secret=secrets.token_bytes(_SECRET_LENGTH),
            signs_from=func.now() if revokes_former else func.now() + SIGNS_AFTER,
        )
    )
