"""A connection that is lost while a write commits is answered as what it is: it may have been done."""

import os

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from tests.citus.distributed import CITUS_URL
from tests.conftest import look_up, make_profile

pytestmark = pytest.mark.usefixtures("own_database_url")  # it creates triggers

LOSE_CONNECTION_AT_COMMIT = (
    """
    create function lose_connection() returns trigger language plpgsql as $$
    begin
        perform pg_terminate_backend(pg_backend_pid());
        return null;
    end $$
    """,
    """
    create constraint trigger lost_at_commit after insert on identifier
    deferrable initially deferred for each row when (new.value = 'lost') execute function lose_connection()
    """,
)


@pytest.mark.changes_schema
async def test_a_write_whose_commit_was_not_confirmed_says_that_it_may_have_been_done(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    profile_id = await make_profile(client, store_id, chat="c-1")
    async with database.transaction() as connection:
        for statement in LOSE_CONNECTION_AT_COMMIT:
            await connection.execute(text(statement))
    path = f"/v1/Stores/{store_id}/Profiles"
    sent = {"traits": {"Contact": {"chat": "lost"}}}
    for answer in (await client.post(path, json=sent), await client.patch(f"{path}/{profile_id}", json=sent)):
        assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, 20503, "1")
        assert "it may have been done" in answer.json()["message"]


@pytest.mark.skipif(CITUS_URL in os.environ, reason="Citus does not say why the commit of a node failed")
async def test_a_write_that_was_rolled_back_does_not_say_that_it_may_have_been_done(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    """A deferred constraint trigger that fails is a COMMIT of which the server says that it did not happen."""
    async with database.transaction() as connection:
        await connection.execute(
            text("""
                create function fail() returns trigger language plpgsql as $$
                begin
                    raise exception using errcode = 'serialization_failure';
                end $$
            """)
        )
        await connection.execute(
            text("""
                create constraint trigger failed_at_commit after insert on identifier
                deferrable initially deferred for each row execute function fail()
            """)
        )
    sent = {"traits": {"Contact": {"chat": "c-1"}}}
    answer = await client.post(f"/v1/Stores/{store_id}/Profiles", json=sent)
    assert answer.status_code == 503
    assert "may have been done" not in answer.json()["message"]
    assert await look_up(client, store_id, "chat", "c-1") == []
