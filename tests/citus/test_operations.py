"""An operation that crashes on a node of Citus fails alone, as it does on plain PostgreSQL."""

from collections.abc import Sequence

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from tests.conftest import finished, look_up

FAIL_ON_NODE = (
    """
    create function fail() returns trigger language plpgsql as $$
    begin
        raise exception 'it fails on the node of the store';
    end $$
    """,
    "create trigger fails before insert on identifier for each row when (new.value = 'crash') execute function fail()",
)


@pytest.mark.changes_schema
@pytest.mark.usefixtures("citus_urls", "own_database_url")
async def test_an_operation_that_crashes_on_a_node_fails_and_the_next_one_is_done(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    async with database.transaction() as connection:
        for statement in FAIL_ON_NODE:
            await connection.execute(text(statement))
    crashing, following = [await _bulk(client, store_id, chats) for chats in (["crash"], ["c-1", "c-2"])]
    operation = await finished(client, crashing)
    assert (operation["status"], operation["error"]["code"]) == ("FAILED", 20500)
    assert (await finished(client, following))["status"] == "COMPLETED"
    assert [len(await look_up(client, store_id, "chat", each)) for each in ("crash", "c-1", "c-2")] == [0, 1, 1]


async def _bulk(client: httpx.AsyncClient, store_id: str, chats: Sequence[str]) -> httpx.Response:
    profiles = [{"traits": {"Contact": {"chat": each}}} for each in chats]
    return await client.put(f"/v1/Stores/{store_id}/Profiles/Bulk", json={"profiles": profiles})
