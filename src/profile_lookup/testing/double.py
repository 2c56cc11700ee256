"""The double: what a server for tests has beside its database, and how it is brought back to its beginning."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

from profile_lookup.bucket_tables import BucketTables
from profile_lookup.clock import CLOCK, EARLIEST, LATEST
from profile_lookup.database.pool import Database
from profile_lookup.errors import OperatorError, RequestRefused
from profile_lookup.jobs.history_end import end_history
from profile_lookup.settings import Settings
from profile_lookup.testing.access import Access, make_access
from profile_lookup.testing.clock import move_clock, prepare_database
from profile_lookup.testing.faults import Faults
from profile_lookup.testing.recording import Recordings
from profile_lookup.testing.seed_file import load_seed
from profile_lookup.testing.seeding import SeededStore, seed_stores
from profile_lookup.testing.snapshot import restore, save
from profile_lookup.testing.wire import Seed, StoreSeed
from profile_lookup.web import ids

DEFAULT_STORE_NAME = "default"


class Double:
    """One server for tests. `access` and `store_id` are there from `running` on."""

    access: Access
    store_id: UUID
    _database: Database
    _buckets: BucketTables

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._changing = asyncio.Lock()
        self.faults = Faults()
        self.recordings = Recordings()

    @asynccontextmanager
    async def running(self, database: Database, buckets: BucketTables) -> AsyncIterator[None]:
        """Seed the database, which no connection of `database` has used yet, and be there while the block runs.

        Raises `OperatorError` if the database is in use, or if the seed is refused.
        """
        assert self._settings.database_url is not None
        await prepare_database(self._settings.database_url.get_secret_value())
        self._database = database
        self._buckets = buckets
        try:
            await self._set_clock()
            await self._start()
            await save(database)
            yield
        finally:
            CLOCK.moved_by = timedelta()

    async def _start(self) -> None:
        seed = self._seed()
        async with self._database.transaction() as connection:
            self.access = await make_access(connection, self._settings)
        try:
            seeded = await seed_stores(self._database, self.access.account_id, seed)
        except RequestRefused as refusal:
            raise OperatorError(f"{self._settings.seed_file}: {refusal}") from None
        self.store_id = _store_id_in(self._settings) or seeded[0].id

    def _seed(self) -> Seed:
        """Return the seed of the settings. If it does not name the store that they name, that one is in it, too."""
        path, store_id = self._settings.seed_file, _store_id_in(self._settings)
        stores = [] if path is None else load_seed(path).stores
        if stores and store_id in (None, *(store.id for store in stores)):
            return Seed.model_construct(stores=stores)
        default = StoreSeed.model_construct(id=store_id, display_name=DEFAULT_STORE_NAME)
        return Seed.model_construct(stores=[*stores, default])

    async def reset(self) -> None:
        """Bring everything back to what it was when the server had started. Raises `Unavailable`."""
        async with self._changing:
            await restore(self._database)
            await self._set_clock()
            self._buckets.clear()
            self.faults.clear()
            self.recordings.clear()

    async def seed(self, seed: Seed) -> list[SeededStore]:
        """Add the stores of a seed. Raises `RequestRefused` or `Unavailable`; then none of them is there."""
        async with self._changing:
            return await seed_stores(self._database, self.access.account_id, seed)

    async def move_clock(self, now: datetime) -> None:
        """Set the clock, and end the history whose time is up. Raises `RequestRefused` or `Unavailable`."""
        if not EARLIEST <= now <= LATEST:
            raise RequestRefused(f"now: expected a time from {EARLIEST.year} to {LATEST.year}")
        async with self._changing:
            await move_clock(self._database, now)
            # The worker does this every hour of real time.
            await end_history(self._database, kept_for=timedelta(days=self._settings.history_days))

    async def _set_clock(self) -> None:
        """Set the clock to the time of the settings, or else to the real time."""
        start = self._settings.clock
        now = CLOCK.now() - CLOCK.moved_by if start is None else datetime.fromisoformat(start)
        await move_clock(self._database, now)

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


def _store_id_in(settings: Settings) -> UUID | None:
    return None if settings.ephemeral_store_id is None else ids.decoded(settings.ephemeral_store_id)
