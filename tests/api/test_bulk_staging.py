"""The content of a batch is stored until the batch is done or has failed, and no longer."""

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.jobs.job_handlers import HANDLERS
from profile_lookup.operations.job_worker import run_until_idle
from profile_lookup.settings import Settings
from tests.api.test_bulk import contact, put
from tests.conftest import finished, look_up
from tests.database.contents import contents


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The application runs no worker; the tests do the work."""
    return settings.model_copy(update={"run_operations": False})


async def _rows_with(database: Database, *values: str) -> set[str]:
    return {
        name for name, rows in (await contents(database)).items() if any(each in row for row in rows for each in values)
    }


async def test_the_content_of_a_batch_is_stored_only_until_it_is_done(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await put(client, store_id, [contact(chat="a-secret", city="Gary"), contact(city="a-refused-secret")])
    assert await _rows_with(database, "a-secret", "a-refused-secret") == {"operation_item"}
    await run_until_idle(database, HANDLERS)
    assert await _rows_with(database, "a-refused-secret") == set()
    profile_id = (await look_up(client, store_id, "chat", "a-secret"))[0]
    await client.delete(f"/v1/Stores/{store_id}/Profiles/{profile_id}")
    assert await _rows_with(database, "a-secret", "Gary") == set()


async def test_nothing_is_left_of_a_batch_whose_store_is_deleted(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    accepted = await put(client, store_id, [contact(chat="a-secret")])
    await client.delete(f"/v1/ControlPlane/Stores/{store_id}")
    await run_until_idle(database, HANDLERS)
    operation = (await client.get(accepted.headers["Location"])).json()
    assert (operation["status"], operation["error"]["code"]) == ("FAILED", 520041)
    assert await _rows_with(database, "a-secret") == set()


async def test_nothing_is_left_of_a_batch_that_is_given_up(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    accepted = await put(client, store_id, [contact(chat="a-secret")])
    async with database.transaction() as connection:
        await connection.execute(text("update operation set attempts = 99 where completed_at is null"))
    await run_until_idle(database, HANDLERS)
    operation = (await client.get(accepted.headers["Location"])).json()
    assert (operation["status"], operation["error"]["code"]) == ("FAILED", 20500)
    assert await _rows_with(database, "a-secret") == set()


async def test_a_batch_uses_the_rules_in_force_when_it_is_done(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    accepted = await put(client, store_id, [{"traits": {"Loyalty": {"number": "L-1"}}}])
    traits = {"number": {"dataType": "STRING", "idTypePromotion": "chat"}}
    path = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    await client.post(path, json={"displayName": "Loyalty", "traits": traits})
    await run_until_idle(database, HANDLERS)
    operation = await finished(client, accepted)
    found = (await client.get(operation["resultUrl"])).json()["results"]
    assert [each["status"] for each in found] == ["created"]
