"""The feed of a store over HTTP: each event once, in an order that never changes."""

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.history.feed import advance_feed
from profile_lookup.history.feed_order import Position
from profile_lookup.history.feed_tokens import FeedTokens
from profile_lookup.settings import Settings
from profile_lookup.stores.settings_events import record_settings_change
from profile_lookup.web import ids
from tests.conftest import BASE_URL, make_profile, make_store
from tests.contract.conforming import ConformingTransport
from tests.history.feeds import kinds_in_feed, read_page
from tests.history.people import make_ann_and_bob_one
from tests.running_service import app_with_worker


async def test_an_empty_feed_has_a_token_from_which_nothing_is_missed(client: httpx.AsyncClient, store_id: str) -> None:
    empty = await read_page(client, store_id)
    assert empty["events"] == []
    profile_id = await make_profile(client, store_id, email="ann@example.com", firstName="Ann")
    page = await read_page(client, store_id, empty["meta"]["nextToken"])
    (event,) = page["events"]
    assert event["profileId"] == profile_id
    assert event["id"] == profile_id.replace("profile", "event")
    assert event["kind"] == "created"
    assert event["added"] == [{"idType": "email", "value": "ann@example.com"}]
    assert await read_page(client, store_id, page["meta"]["nextToken"]) == {
        "events": [], "meta": {"key": "events", "pageSize": 0, "nextToken": page["meta"]["nextToken"]},
    }  # fmt: skip


@pytest.mark.parametrize("page_size", [1, 2, 50])
async def test_events_come_in_the_order_in_which_they_happened(
    client: httpx.AsyncClient, store_id: str, page_size: int
) -> None:
    ann, _ = await make_ann_and_bob_one(client, store_id)
    await client.patch(f"/v1/Stores/{store_id}/Profiles/{ann}", json={"traits": {"Contact": {"city": "Bern"}}})
    expected = ["created", "created", "merged", "traitsChanged"]
    assert await kinds_in_feed(client, store_id, page_size) == expected


async def test_the_creation_of_a_profile_keeps_its_place_when_an_event_is_recorded_for_it_later(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await make_profile(client, store_id, email="ann@example.com")
    page = await read_page(client, store_id)
    await make_profile(client, store_id, phone="+13175550001")
    await make_profile(client, store_id, email="ann@example.com", city="Bern")
    following = await read_page(client, store_id, page["meta"]["nextToken"])
    assert [event["kind"] for event in following["events"]] == ["created", "updated"]
    assert await kinds_in_feed(client, store_id) == ["created", "created", "updated"]


async def test_the_name_that_sdks_send_for_the_size_of_a_page_is_accepted(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await make_ann_and_bob_one(client, store_id)
    page = (await client.get(f"/v1/Stores/{store_id}/Events", params={"PageSize": 2})).json()
    assert len(page["events"]) == 2


async def test_a_write_that_changes_nothing_is_not_in_the_feed(client: httpx.AsyncClient, store_id: str) -> None:
    await make_profile(client, store_id, email="ann@example.com", city="Bern")
    for _ in range(3):
        await make_profile(client, store_id, email="ann@example.com", city="Bern")
    assert await kinds_in_feed(client, store_id) == ["created"]


async def test_an_erased_profile_takes_its_events_with_it_and_leaves_its_ids(
    client: httpx.AsyncClient, store_id: str
) -> None:
    ann, bob = await make_ann_and_bob_one(client, store_id)
    page = await read_page(client, store_id)
    await client.delete(f"/v1/Stores/{store_id}/Profiles/{ann}")
    (erased,) = (await read_page(client, store_id, page["meta"]["nextToken"]))["events"]
    assert erased.keys() == {"id", "kind", "at", "profileId", "absorbed", "actor"}
    assert (erased["kind"], erased["profileId"], erased["absorbed"]) == ("erased", ann, [bob])
    assert await kinds_in_feed(client, store_id) == ["erased"]


async def test_a_feed_has_the_events_of_its_own_store_only(client: httpx.AsyncClient, store_id: str) -> None:
    other = await make_store(client, "other")
    await make_profile(client, store_id, email="ann@example.com")
    page = await read_page(client, store_id)
    assert await kinds_in_feed(client, other) == []
    refused = await client.get(f"/v1/Stores/{other}/Events", params={"after": page["meta"]["nextToken"]})
    assert refused.status_code == 400
    assert refused.json()["message"] == "after: expected a nextToken of the feed of this very store"


@pytest.mark.parametrize(
    "query", ["after=x", "after=", "wait=21", "wait=-1", "wait=1.5", "pageSize=0", "pageSize=1001", "orderBy=DESC"]
)
async def test_a_query_that_the_feed_does_not_know_is_refused(
    client: httpx.AsyncClient, store_id: str, query: str
) -> None:
    refused = await client.get(f"/v1/Stores/{store_id}/Events?{query}")
    assert (refused.status_code, refused.json()["code"]) == (400, 520046)


async def test_a_token_is_valid_in_another_process(
    client: httpx.AsyncClient, store_id: str, settings: Settings, account: tuple[str, str]
) -> None:
    await make_profile(client, store_id, email="ann@example.com")
    page = await read_page(client, store_id)
    await make_profile(client, store_id, email="bob@example.com")
    other = app_with_worker(settings)
    async with (
        other.router.lifespan_context(other),
        httpx.AsyncClient(transport=ConformingTransport(other), base_url=BASE_URL, auth=account) as elsewhere,
    ):
        following = await read_page(elsewhere, store_id, page["meta"]["nextToken"])
    assert [event["added"][0]["value"] for event in following["events"]] == ["bob@example.com"]


async def test_a_token_that_is_ahead_of_a_restored_backup_is_refused(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    uuid = ids.decoded(store_id)
    assert uuid is not None
    tokens = FeedTokens(await app.state.services.signing_key.secrets(), uuid)
    await make_profile(client, store_id, email="ann@example.com")
    refused = await client.get(f"/v1/Stores/{store_id}/Events", params={"after": tokens.write(Position(2, 1))})
    assert refused.status_code == 400


async def test_a_change_of_the_settings_is_about_no_profile(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    uuid = ids.decoded(store_id)
    assert uuid is not None
    async with database.transaction() as connection:
        await record_settings_change(connection, uuid, None)
    (event,) = (await read_page(client, store_id))["events"]
    assert event.keys() == {"id", "kind", "at"}
    assert event["kind"] == "storeSettingsChanged"


async def test_once_all_events_are_settled_reading_writes_nothing(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    other = await make_store(client, "other")
    await make_profile(client, store_id, email="ann@example.com")
    for _ in range(3):
        page = await read_page(client, store_id)
    await make_profile(client, other, email="ann@example.com")
    async with database.statements() as connection:
        before = (await connection.execute(_VERSIONS)).all()
        for _ in range(3):
            assert await read_page(client, store_id) == page
        assert (await connection.execute(_VERSIONS)).all() == before


# A row that was locked has another `xmax`, and one that was written another `ctid`.
_VERSIONS = text("""
    select tableoid, ctid, cast(xmax as text) from event_feed
    union all
    select tableoid, ctid, cast(xmax as text) from event_batch
""")


async def test_the_feed_of_a_deleted_store_leaves_nothing_behind(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    uuid = ids.decoded(store_id)
    assert uuid is not None
    await client.delete(f"/v1/ControlPlane/Stores/{store_id}")
    assert await advance_feed(database, uuid) is None
    async with database.statements() as connection:
        assert (await connection.execute(text("select count(*) from event_feed"))).scalar_one() == 0
    assert (await client.get(f"/v1/Stores/{store_id}/Events")).status_code == 404
