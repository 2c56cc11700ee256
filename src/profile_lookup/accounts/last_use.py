"""Records when credentials were used last: roughly, and off the path of requests.

A process writes the time of one credential at most once in five minutes, so `lastUsedAt` may be that old.
"""

import asyncio
import logging

from sqlalchemy import text

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.pool import Database
from profile_lookup.errors import Unavailable

INTERVAL = 300.0  # seconds
_DELAY = 1.0  # seconds; what is used meanwhile is written by the same statement
_MAX_CREDENTIALS = 10_000

log = logging.getLogger(__name__)


class LastUse:
    """Collects the verified credentials that a process sees, and writes the time of their use."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: set[Credentials] = set()
        """The credentials that were used since the last interval began; their time is written, or about to be."""
        self._unwritten: list[Credentials] = []
        self._task: asyncio.Task[None] | None = None

    def note(self, credentials: Credentials) -> None:
        """Note that verified credentials are used now. This takes no more than a lookup in a set."""
        if credentials not in self._noted:
            self._note_new(credentials)

    async def close(self) -> None:
        """Write what is not yet written."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._write()

    def _note_new(self, credentials: Credentials) -> None:
        loop = asyncio.get_running_loop()
        if len(self._noted) >= _MAX_CREDENTIALS:
            return
        self._noted.add(credentials)
        self._unwritten.append(credentials)
        loop.call_later(INTERVAL, self._noted.discard, credentials)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._write_later())

    async def _write_later(self) -> None:
        while self._unwritten:
            await asyncio.sleep(_DELAY)
            await self._write()

    async def _write(self) -> None:
        used, self._unwritten = self._unwritten, []
        if not used:
            return
        parameters = {"sids": [each.sid for each in used], "digests": [each.secret_sha256 for each in used]}
        try:
            async with self._database.transaction() as connection:
                sids = (await connection.execute(_LOCK, parameters)).scalars().all()
                await connection.execute(_WRITE, {"sids": sids})
        except Unavailable:
            log.info("the time of the last use of %d credentials was not written", len(used))


# A revoked key has no row, and a former token does not count as the account's. Rows that another process writes are
# skipped: it writes the same.
_LOCK = text("""
    select credential.sid
    from unnest(cast(:sids as text[]), cast(:digests as bytea[])) as presented (sid, secret_sha256)
    join credential on credential.sid = presented.sid and credential.secret_sha256 = presented.secret_sha256
    for no key update of credential skip locked
""")
_WRITE = text("update credential set last_used_at = now() where sid = any (cast(:sids as text[]))")
