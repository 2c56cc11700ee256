"""API keys with limits of their own."""

from sqlalchemy import update

from profile_lookup.accounts.credentials import Credentials, digest, new_key_sid, new_secret
from profile_lookup.accounts.grants import Grant
from profile_lookup.accounts.keys import add_key
from profile_lookup.accounts.queries import account_of
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import credential
from profile_lookup.token_buckets import RateLimit

SELDOM = 0.001
"""Requests per second: so few that no test takes long enough for another one."""


async def make_key(database: Database, account_sid: str, limit: RateLimit | None = None) -> tuple[str, str]:
    """Make a key of the account, and return its SID and secret."""
    sid, secret = new_key_sid(), new_secret()
    async with database.transaction() as connection:
        account_id = await account_of(connection, account_sid)
        assert account_id is not None
        await add_key(connection, account_id, Credentials(sid, digest(secret)), name="", grant=Grant(rate_limit=limit))
    return sid, secret


async def set_limit(database: Database, sid: str, limit: RateLimit) -> None:
    values = {"rate_per_second": limit.per_second, "rate_burst": limit.burst}
    async with database.transaction() as connection:
        await connection.execute(update(credential).values(values).where(credential.c.sid == sid))
