"""The double: what a server for tests knows beside its database."""

from uuid import UUID

from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings
from profile_lookup.stores import queries as stores
from profile_lookup.testing.access import Access, make_access
from profile_lookup.web import ids


class Double:
    """One server for tests. `access` and `store_id` are set once `start` has returned."""

    access: Access
    store_id: UUID

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def start(self, database: Database) -> None:
        """Bring the database into the state that `reset` brings it back to."""
        async with database.transaction() as connection:
            self.access = await make_access(connection, self._settings)
            self.store_id = await stores.create(
                connection, self.access.account_id, display_name="default", description=None, max_stores=1
            )

    def for_client(self, base_url: str) -> dict[str, str]:
        """Return all that a client needs, under the names that `demo --json` prints."""
        return {
            "baseUrl": base_url,
            "accountSid": self.access.account_sid,
            "authToken": self.access.auth_token,
            "apiKey": self.access.api_key,
            "apiSecret": self.access.api_secret,
            "storeId": ids.store_id(self.store_id),
        }
