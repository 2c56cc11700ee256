"""The quotas of operations cost the same however many operations there are: pages are counted, not time."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.pool import Database
from profile_lookup.errors import TooManyOperations
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.operations.quotas import Quotas, refuse_beyond_queue_quota, refuse_beyond_waiting_quota
from tests.database.many_operations import insert_operations, pages_read
from tests.database.stores import make_store

QUOTAS = Quotas(queued_per_store=10, queued_per_account=20, waiting_per_store=10)
MAX_PAGES = 100


@pytest.mark.plain_postgresql("it counts the pages that are read where it is connected")
async def test_counting_operations_reads_no_more_than_the_quota(database: Database) -> None:
    store = await make_store(database, DEFAULT_SETTINGS)
    for until in (None, datetime.now(UTC) + timedelta(hours=1)):
        await insert_operations(database, store, 20_000, is_one_store=True, waits_until=until)

    async def refuse_queued(connection: AsyncConnection) -> None:
        with pytest.raises(TooManyOperations):
            await refuse_beyond_queue_quota(connection, store.account_id, store.id, QUOTAS)

    async def refuse_waiting(connection: AsyncConnection) -> None:
        with pytest.raises(TooManyOperations):
            await refuse_beyond_waiting_quota(connection, store.id, QUOTAS)

    assert 0 < await pages_read(database, refuse_queued) < MAX_PAGES
    assert 0 < await pages_read(database, refuse_waiting) < MAX_PAGES
