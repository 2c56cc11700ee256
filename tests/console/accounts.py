"""Accounts of the service that a module's tests share."""

from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings
from tests.conftest import make_account


async def new_account(settings: Settings) -> tuple[str, str]:
    """Make an account, and return its SID and auth token."""
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), pool_size=1)
    try:
        return await make_account(database)
    finally:
        await database.close()
