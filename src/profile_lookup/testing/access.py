"""The account of a server for tests, and the credentials by which its clients reach it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts import keys
from profile_lookup.accounts import queries as accounts
from profile_lookup.accounts.credentials import Credentials, digest, new_account_sid, new_key_sid, new_secret
from profile_lookup.settings import Settings


@dataclass(frozen=True, slots=True)
class Access:
    """The account that owns all seeded stores. Both its token and its key give full access."""

    account_id: UUID
    account_sid: str
    auth_token: str
    api_key: str
    api_secret: str


async def make_access(connection: AsyncConnection, settings: Settings) -> Access:
    """Make an account and a key. If the settings name a bootstrap account, it is that account."""
    sid, token = new_account_sid(), new_secret()
    if settings.bootstrap_account_sid is not None and settings.bootstrap_auth_token is not None:
        sid, token = settings.bootstrap_account_sid, settings.bootstrap_auth_token.get_secret_value()
    account_id = await accounts.ensure_account(connection, "tests", Credentials(sid, digest(token)))
    key, secret = new_key_sid(), new_secret()
    await keys.add_key(connection, account_id, Credentials(key, digest(secret)), name="tests")
    return Access(account_id, sid, token, key, secret)
