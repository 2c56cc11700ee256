"""`dataAsOf` of a store: everything that was sent before that time is in the store."""

from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.jobs.job_handlers import HANDLERS
from profile_lookup.operations.job_worker import run_until_idle
from profile_lookup.settings import Settings
from profile_lookup.web import ids
from tests.api.test_bulk import contact, put
from tests.conftest import make_store
from tests.imports.conftest import create, upload

FILE = b"E-mail,Phone,First\na@example.com,,Ann\n"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The application runs no worker; the tests do the work."""
    return settings.model_copy(update={"run_operations": False})


async def _data_as_of(client: httpx.AsyncClient, store_id: str) -> datetime:
    answer = await client.get(f"/v1/ControlPlane/Stores/{store_id}")
    return datetime.fromisoformat(answer.json()["dataAsOf"])


async def _is_present(client: httpx.AsyncClient, store_id: str) -> bool:
    before = datetime.now(UTC).replace(microsecond=0)
    return before <= await _data_as_of(client, store_id) <= datetime.now(UTC)


async def _begin_in(database: Database, year: int, operation_id: str) -> datetime:
    """Let an operation have begun in this year, and return the time."""
    began = datetime(year, 1, 15, 10, 15, 30, tzinfo=UTC)
    uuid: UUID | None = ids.decoded(operation_id)
    async with database.transaction() as connection:
        update = text("update operation set created_at = :began where id = :id")
        assert (await connection.execute(update, {"began": began, "id": uuid})).rowcount == 1
    return began


async def test_a_store_without_unfinished_work_is_up_to_date(client: httpx.AsyncClient, store_id: str) -> None:
    assert await _is_present(client, store_id)


async def test_it_is_the_start_of_the_oldest_unfinished_batch(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    other = await make_store(client, "other")
    began = {}
    for year in (2023, 2022, 2024):
        batch = (await put(client, store_id, [contact(chat=f"c-{year}")])).json()
        began[year] = await _begin_in(database, year, batch["operationId"])
    assert await _data_as_of(client, store_id) == began[2022]
    assert await _is_present(client, other)
    await run_until_idle(database, HANDLERS)
    assert await _is_present(client, store_id)


async def test_an_import_counts_from_when_its_file_has_arrived(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    created = await create(client, store_id, len(FILE))
    began = await _begin_in(database, 2022, created["operationId"])
    assert await _is_present(client, store_id)
    assert (await upload(client, created["url"], FILE)).status_code == 200
    assert await _data_as_of(client, store_id) == began


async def test_other_unfinished_operations_do_not_count(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    url = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    await client.post(url, json={"displayName": "Billing"})
    accepted = await client.delete(f"{url}/Billing")
    await _begin_in(database, 2022, accepted.headers["Operation-Id"])
    assert await _is_present(client, store_id)
