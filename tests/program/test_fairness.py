"""A tenant who has enqueued very many operations does not delay those of others: real processes, real imports."""

import json
import statistics
import time

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.web import ids
from tests.conftest import PATIENCE, finished, make_account, make_store
from tests.imports.conftest import mappings
from tests.program.conftest import base_url_in, serving

BATCHES, IMPORTS_PER_BATCH = 20, 10_000
BULKS = 20
MAX_IMPORTS_MEANWHILE = 50
# Each import has one row, and its file has arrived.
_ENQUEUE_IMPORTS = text("""
    with made as (
        insert into operation (account_id, id, store_id, kind, sequence, status, input, progress, attempts, created_at)
        select account_id, gen_random_uuid(), id, 'IMPORT_PROFILES', 'IMPORT_PROFILES', 'PENDING', '{}', '{}', 0, now()
        from store cross join generate_series(1, :number) where id = :store_id
        returning account_id, store_id, id
    ), piece as (
        insert into operation_piece (account_id, operation_id, position, content)
        select account_id, id, 0, convert_to(concat(E'E-mail,Phone,First\\n', id, E'@example.com,,Ann\\n'), 'UTF8')
        from made
    )
    insert into profile_import (
        store_id, id, account_id, filename, file_size, column_mappings, upload_until, uploaded_at, empty_lines,
        created, updated, merged, refused, created_at, updated_at
    )
    select store_id, id, account_id, 'people.csv', 73, cast(:mappings as jsonb), now(), now(), 0, 0, 0, 0, 0, now(), now()
    from made
""")
_ENDED_IMPORTS = text("select count(*) from operation where kind = 'IMPORT_PROFILES' and completed_at is not null")


@pytest.mark.slow
async def test_the_imports_of_one_tenant_do_not_delay_the_bulk_of_another(
    database_url: str, database: Database
) -> None:
    """The test counts the imports that end before a bulk has; the times are printed."""
    with serving(DATABASE_URL=database_url) as (_, printed):
        base_url = base_url_in(printed)
        tenant, other = [
            httpx.AsyncClient(base_url=base_url, auth=await make_account(database), timeout=PATIENCE) for _ in range(2)
        ]
        async with tenant, other:
            store_id = await make_store(tenant)
            alone = [await _seconds_of_bulk(tenant, store_id, number) for number in range(BULKS)]
            await _enqueue_imports(database, await make_store(other))
            together, meanwhile = [], []
            for number in range(BULKS):
                before = await _ended_imports(database)
                together.append(await _seconds_of_bulk(tenant, store_id, number))
                meanwhile.append(await _ended_imports(database) - before)
    assert await _ended_imports(database) > 0  # the worker did work on them
    assert max(meanwhile) < MAX_IMPORTS_MEANWHILE
    print(  # noqa: T201 -- a summary for pytest -rP
        f"A bulk took {statistics.median(alone):.2f} s, at most {max(alone):.2f}; beside {BATCHES * IMPORTS_PER_BATCH} "
        f"imports {statistics.median(together):.2f} s, at most {max(together):.2f}"
    )


async def _enqueue_imports(database: Database, store_id: str) -> None:
    parameters = {"number": IMPORTS_PER_BATCH, "store_id": ids.decoded(store_id), "mappings": json.dumps(mappings())}
    async with database.transaction() as connection:
        for _ in range(BATCHES):
            await connection.execute(_ENQUEUE_IMPORTS, parameters)


async def _ended_imports(database: Database) -> int:
    async with database.statements() as connection:
        return int((await connection.execute(_ENDED_IMPORTS)).scalar_one())


async def _seconds_of_bulk(client: httpx.AsyncClient, store_id: str, number: int) -> float:
    """Return how long it takes from the request to the end of its operation, as its client sees it."""
    started_at = time.perf_counter()
    profiles = [{"traits": {"Contact": {"chat": f"c-{number}-{each}"}}} for each in range(10)]
    accepted = await client.put(f"/v1/Stores/{store_id}/Profiles/Bulk", json={"profiles": profiles})
    assert (await finished(client, accepted))["status"] == "COMPLETED"
    return time.perf_counter() - started_at
