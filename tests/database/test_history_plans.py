"""Reading events finds them by indexes, also by a plan that was made while the tables were empty."""

import pytest
from sqlalchemy import text

from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.history.feed import advance_feed
from profile_lookup.history.feed_order import Position
from profile_lookup.history.feed_pages import page_after
from profile_lookup.history.queries import events_by_number, shown_events_of
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from tests.database.plans import nodes_of, plans_of
from tests.database.stores import make_store

pytestmark = pytest.mark.plain_postgresql(
    "it reads plans by the names of tables, and those of Citus have names of shards"
)

_FILL = """
    with numbered as (select id as store_id, number from store, generate_series(1, 10000) as number),
    created as (
        insert into profile (store_id, id, created_at, creation_number)
        select store_id, gen_random_uuid(), now(), 2 * number from numbered
    ),
    happened as (
        insert into event (store_id, number, id, profile_id, kind, happened_at, document)
        select store_id, 2 * number + 1, gen_random_uuid(), gen_random_uuid(), 'split', now(), '{"i": []}' from numbered
    )
    insert into event_batch (store_id, batch, up_to, late, settled)
    select store_id, number + 1, 2 * number + 1, '{}', 0 from numbered where number < 1000
"""


@pytest.mark.parametrize("is_filled", [False, True])
async def test_a_page_of_the_feed_reads_no_whole_table_and_no_whole_store(database_url: str, is_filled: bool) -> None:
    one_connection = Database(database_url, pool_size=1)
    store = await make_store(one_connection, DEFAULT_SETTINGS)
    await advance_feed(one_connection, store.id)
    if is_filled:
        async with one_connection.transaction() as connection:
            await connection.execute(text(_FILL))
        async with one_connection.statements() as connection:
            await connection.execute(text("vacuum analyze"))
    await advance_feed(one_connection, store.id)
    async with one_connection.statements() as connection:
        await page_after(connection, store.id, Position(1, 0), 50)
        await events_by_number(connection, store, [1, 2, 3])
        words = ("from event_number", "select batch", "select late", "ranged.number", "event.number = ANY", "held.*")
        plans = [plan for each in words for plan in await plans_of(connection, each)]
    await one_connection.close()
    scans = [node for plan in plans for node in nodes_of(plan) if "Scan" in node["Node Type"]]
    assert {node["Relation Name"] for node in scans if "Relation Name" in node} == {
        "event", "profile", "identifier", "event_feed", "event_batch", "event_number",
    }  # fmt: skip
    for node in scans:
        conditions = node.get("Index Cond", "")
        match node.get("Index Name", node.get("Relation Name")):
            case "event_number":  # a sequence, which is one row
                assert node["Node Type"] == "Seq Scan"
            case "event_feed_pkey":
                assert "store_id = " in conditions
            case "event_pkey" | "profile_creation_number_idx":
                assert "number > " in conditions or "number = ANY" in conditions
            case "event_batch_pkey":  # the last one is found from the end of the store's
                assert "batch >" in conditions or node["Scan Direction"] == "Backward"
            case "identifier_profile_id_idx":
                assert "profile_id = " in conditions
            case other:
                assert (other, node["Node Type"]) == ("event_batch", "Bitmap Heap Scan")


async def test_the_events_of_a_profile_are_found_by_its_ids(database_url: str) -> None:
    one_connection = Database(database_url, pool_size=1)
    store = await make_store(one_connection, DEFAULT_SETTINGS)
    async with one_connection.statements() as connection:
        await connection.execute(shown_events_of(store, [new_id(), new_id()]).limit(51))
        (plan,) = await plans_of(connection, "event.repetition_key IS NULL")
    await one_connection.close()
    (scan,) = [node for node in nodes_of(plan) if "Index Name" in node]
    assert scan["Index Name"] == "event_profile_id_number_idx"
    assert "profile_id = ANY" in scan["Index Cond"]
