"""A profile with very many events is split by an operation, which leaves what the request itself would leave."""

from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.history.split_request import SplitRequest, enqueue_split
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.ingest.ingest import ingest
from profile_lookup.jobs.job_handlers import HANDLERS
from profile_lookup.operations import queries
from profile_lookup.operations.job_worker import run_until_idle
from profile_lookup.operations.quotas import Quotas
from profile_lookup.stores.rules_cache import StoreRules
from tests.conftest import finished, look_up, make_profile
from tests.database.contents import contents, stored_events
from tests.database.stores import make_store
from tests.history.splits import events_of, joins_of, merged, separated_from, split, stored_profile, with_many_events
from tests.identity.building import identifiers

ANN, BOB = "ann@example.com", "+13175550001"

OF_OPERATIONS = {"operation", "operation_turn", "split_part"}


@pytest.fixture
async def large(client: httpx.AsyncClient, store_id: str, database: Database) -> tuple[str, str]:
    """A profile with very many events, and the one that merged into it."""
    ann, bob = await merged(client, store_id)
    path = f"/v1/Stores/{store_id}/Profiles/{ann}"
    assert (await client.patch(path, json={"traits": {"Contact": {"city": "Rome"}}})).status_code == 202
    await with_many_events(database, ann)
    return ann, bob


async def test_a_profile_with_very_many_events_is_split_by_an_operation(
    client: httpx.AsyncClient, store_id: str, database: Database, account: tuple[str, str], large: tuple[str, str]
) -> None:
    ann, bob = large
    accepted = await split(client, store_id, ann, await joins_of(database, ann))
    assert accepted.json() == {
        "message": "The split is accepted for processing.",
        "statusUrl": accepted.headers["Location"],
    }
    operation = await finished(client, accepted)
    assert operation["status"] == "COMPLETED", operation
    assert [operation["result"]["id"]] == await events_of(database, ann, "split")
    assert await look_up(client, store_id, "phone", BOB) == [bob]
    assert await separated_from(client, store_id, ann) == [bob]
    actors = {event.actor for event in await stored_events(database, "split")}
    assert actors == {Actor("account", account[0])}
    results = (await client.get(operation["resultUrl"])).json()["results"]
    assert results == [
        {"id": ann, "isNew": False, "identifiers": [{"idType": "email", "count": 1}]},
        {"id": bob, "isNew": False, "identifiers": [{"idType": "phone", "count": 1}]},
    ]
    assert (await contents(database))["operation_piece"] == []
    traits, _ = await stored_profile(client, store_id, ann)
    assert traits == {"Contact": {"email": ANN, "phone": BOB, "firstName": "Ann", "city": "Rome"}}


async def test_a_dry_run_of_a_large_split_lists_what_would_be_left_and_changes_nothing(
    client: httpx.AsyncClient, store_id: str, database: Database, large: tuple[str, str]
) -> None:
    ann, bob = large
    joins = await joins_of(database, ann)
    before = await contents(database)
    block = [{"idType": "email", "value": ANN}]
    operation = await finished(client, await split(client, store_id, ann, joins, dryRun=True, block=block))
    assert (operation["status"], operation["result"]["id"]) == ("COMPLETED", ann)
    after = await contents(database)
    assert {name for name in before if before[name] != after[name]} <= OF_OPERATIONS
    page = (await client.get(operation["resultUrl"], params={"pageSize": 1})).json()
    assert page["results"] == [{"id": ann, "isNew": False, "identifiers": []}]
    query = {"pageSize": 1, "pageToken": page["meta"]["nextToken"]}
    page = (await client.get(operation["resultUrl"], params=query)).json()
    assert page["results"] == [{"id": bob, "isNew": False, "identifiers": [{"idType": "phone", "count": 1}]}]


async def test_a_large_split_blocks_values(
    client: httpx.AsyncClient, store_id: str, database: Database, large: tuple[str, str]
) -> None:
    ann, bob = large
    block = [{"idType": "email", "value": ANN}]
    accepted = await split(client, store_id, ann, await joins_of(database, ann), keepApart=False, block=block)
    assert (await finished(client, accepted))["status"] == "COMPLETED"
    assert await look_up(client, store_id, "email", ANN) == []
    assert await make_profile(client, store_id, email=ANN, phone=BOB) == bob
    assert await separated_from(client, store_id, ann) == []


@pytest.mark.slow
async def test_a_large_split_fails_if_a_join_was_undone_meanwhile(
    client: httpx.AsyncClient, store_id: str, database: Database, large: tuple[str, str]
) -> None:
    ann, _ = large
    joins = await joins_of(database, ann)
    assert (await finished(client, await split(client, store_id, ann, joins)))["status"] == "COMPLETED"
    before = await contents(database)
    operation = await finished(client, await split(client, store_id, ann, joins))
    assert (operation["status"], operation["error"]["code"]) == ("FAILED", 20409)
    assert operation["error"]["detail"] == "events.0: this join was undone already"
    after = await contents(database)
    assert {name for name in before if before[name] != after[name]} <= OF_OPERATIONS


async def test_a_large_split_with_a_stale_etag_is_refused_at_once(
    client: httpx.AsyncClient, store_id: str, database: Database, large: tuple[str, str]
) -> None:
    ann, _ = large
    joins = await joins_of(database, ann)
    before = await contents(database)
    path = f"/v1/Stores/{store_id}/Profiles/{ann}/Splits"
    answer = await client.post(path, json={"events": joins}, headers={"If-Match": '"stale"'})
    assert (answer.status_code, answer.json()["code"]) == (412, 520043)
    assert await contents(database) == before


async def test_a_large_split_follows_its_profile_into_the_one_that_it_has_merged_into(database: Database) -> None:
    store = await make_store(database, DEFAULT_SETTINGS)
    zoe, ann, bob = [await written(database, store, carried) for carried in ("chat:z", "email:a", "phone:b")]
    assert await written(database, store, "email:a", "phone:b") == ann
    (join,) = [event.id for event in await stored_events(database, "merged")]
    async with database.transaction() as connection:
        request = SplitRequest([join], Actor("command", "test"))
        operation_id = await enqueue_split(connection, store, ann, request, Quotas(10, 10, 10))
    assert await written(database, store, "chat:z", "email:a") == zoe
    await run_until_idle(database, HANDLERS)
    async with database.statements() as connection:
        operation = await queries.find(connection, store.account_id, operation_id)
        profiles = (await connection.execute(text("select id from profile order by id"))).scalars()
        assert (list(profiles), operation and operation.status) == ([zoe, bob], "COMPLETED")


async def written(database: Database, store: StoreRules, *carried: str) -> UUID:
    change = Change(tuple(identifiers(*carried)))
    return await ingest(database, store, lambda _: change, datetime.now(UTC))
