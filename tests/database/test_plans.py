"""The hot paths keep their query plans, even plans made on empty tables, and their number of round trips."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.app import create_app
from profile_lookup.database.pool import Database
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.ingest.ingest import ingest
from profile_lookup.jobs.blocked_values import NEXT_VALUES
from profile_lookup.lookup.batch_queries import LOOKUP_BATCH, Form, profile_ids_by_form
from profile_lookup.lookup.queries import LOOKUP, LOOKUPS, LOOKUPS_OF_ONE_CALLER, similar_profile_ids
from profile_lookup.settings import Settings
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids
from tests.conftest import BASE_URL, change_settings, look_up, make_profile
from tests.contract.conforming import ConformingTransport
from tests.database.plans import nodes_of, plans_of
from tests.database.stores import make_store
from tests.database.tap import Tap, tapped

pytestmark = pytest.mark.plain_postgresql(
    "it reads plans by the names of tables, and those of Citus have names of shards"
)

_FILL = """
    with made as (
        insert into profile (store_id, id, created_at)
        select id, gen_random_uuid(), now() from store, generate_series(1, 20000)
        returning store_id, id
    )
    insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
    select store_id, 'chat', 'chat-' || row_number() over (), id, '', now() from made
"""

_STATISTICS_ARRIVE = 11.0  # seconds, after which PostgreSQL has written what idle connections counted

_WITH_FUZZY_CHATS = replace(
    DEFAULT_SETTINGS,
    identifier_configs=tuple(
        replace(each, matching_algo="fuzzy" if each.id_type == "chat" else "exact")
        for each in DEFAULT_SETTINGS.identifier_configs
    ),
)


@pytest.mark.parametrize(
    "statement", [LOOKUP, LOOKUPS_OF_ONE_CALLER, LOOKUPS, LOOKUP_BATCH], ids=["one", "of one", "several", "batch"]
)
@pytest.mark.parametrize("is_filled", [False, True])
async def test_a_lookup_reads_identifiers_only_from_the_primary_key(
    client: httpx.AsyncClient, store_id: str, database: Database, is_filled: bool, statement: str
) -> None:
    if is_filled:
        async with database.transaction() as connection:
            await connection.execute(text(_FILL))
        async with database.statements() as connection:
            await connection.execute(text("vacuum analyze"))
    async with database.statements() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        kept = await driver.prepare(statement)  # the statement stays prepared as long as this object exists
        (plan,) = await plans_of(connection, "from identifier")
        del kept
    (access,) = [node for node in nodes_of(plan) if node.get("Relation Name") == "identifier"]
    assert (access["Node Type"], access["Index Name"]) == ("Index Only Scan", "identifier_pkey")
    assert not any(node["Node Type"] == "Seq Scan" for node in nodes_of(plan))
    # The key is already in canonical order. At most, the lookups are sorted at the very end.
    assert [node for node in nodes_of(plan) if node["Node Type"] == "Sort"] == (
        [plan] if statement in (LOOKUPS, LOOKUP_BATCH) else []
    )


@pytest.mark.parametrize("is_batch", [False, True])
@pytest.mark.parametrize("is_filled", [False, True])
async def test_a_fuzzy_lookup_reads_only_the_fuzzy_index_and_the_primary_key(
    client: httpx.AsyncClient, store_id: str, database: Database, is_filled: bool, is_batch: bool
) -> None:
    async with database.transaction() as connection:
        if is_filled:
            await connection.execute(text(_FILL))
    if is_filled:
        await change_settings(client, store_id, chat={"matchingAlgo": "fuzzy"})
        async with database.statements() as connection:
            await connection.execute(text("vacuum analyze"))
    store = await make_store(database, _WITH_FUZZY_CHATS)
    async with database.statements() as connection:
        identifier = NormalizedIdentifier("chat", NormalizedValue("chat-7"))
        if is_batch:
            form = Form(0, identifier, likeness=1, is_fuzzy=True)
            await profile_ids_by_form(connection, Credentials("AC", b""), store, [form])
        else:
            await similar_profile_ids(connection, Credentials("AC", b""), store, identifier)
        (plan,) = await plans_of(connection, "pg_trgm.similarity_threshold")
    read = [node for node in nodes_of(plan) if node.get("Index Name", "").startswith("identifier_")]
    assert {(node["Node Type"], node["Index Name"]) for node in read} == {
        ("Bitmap Index Scan", "identifier_fuzzy_idx"), ("Index Only Scan", "identifier_pkey"),
    }  # fmt: skip
    (by_similarity,) = [node for node in read if node["Index Name"] == "identifier_fuzzy_idx"]
    for part in ("fuzzy_key = ", "value % "):
        assert part in by_similarity["Index Cond"]
    assert not any(node["Node Type"] == "Seq Scan" for node in nodes_of(plan))


async def test_a_fuzzy_lookup_finds_one_among_many(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(_FILL))
    assert (await change_settings(client, store_id, chat={"matchingAlgo": "fuzzy"}))["status"] == "COMPLETED"
    profile_id = await make_profile(client, store_id, chat="Ada Lovelace")
    assert await look_up(client, store_id, "chat", "Ada Lovelac") == [profile_id]
    async with database.statements() as connection:
        query = "select count(*) from identifier where fuzzy_key is not null"
        assert (await connection.execute(text(query))).scalar_one() == 20001


async def test_exactly_matched_identifiers_are_not_in_the_fuzzy_index(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await change_settings(client, store_id, chat={"matchingAlgo": "fuzzy"})
    await make_profile(client, store_id, chat="c", email="e@x", phone="+13175551234", whatsapp="w")
    async with database.statements() as connection:
        query = "select id_type from identifier where fuzzy_key is not null"
        assert list((await connection.execute(text(query))).scalars()) == ["chat"]


@asynccontextmanager
async def _tapped_client(settings: Settings, account: tuple[str, str]) -> AsyncIterator[tuple[httpx.AsyncClient, Tap]]:
    assert settings.database_url is not None
    async with tapped(settings.database_url.get_secret_value()) as tap:
        app = create_app(settings.model_copy(update={"database_url": SecretStr(tap.url), "pool_size": 2}))
        transport = ConformingTransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=account) as client,
        ):
            assert (await client.get("/v1/ControlPlane/Stores")).status_code == 200
            await app.state.services.last_use.close()  # the use of the credentials is not noted again meanwhile
            yield client, tap


async def test_a_lookup_is_one_round_trip(settings: Settings, account: tuple[str, str], store_id: str) -> None:
    async with _tapped_client(settings, account) as (client, tap):
        profile_id = await make_profile(client, store_id, chat="c-1")
        await look_up(client, store_id, "chat", "c-1")  # from now on the store is cached
        tap.sent.clear()
        assert await look_up(client, store_id, "chat", "c-1") == [profile_id]
        assert tap.sent == ["(prepared)"]
        assert await look_up(client, store_id, "phone", "+13175551234") == []
        assert tap.sent == ["(prepared)"] * 2


async def test_a_fuzzy_lookup_is_one_round_trip(
    settings: Settings, account: tuple[str, str], client: httpx.AsyncClient, store_id: str
) -> None:
    await change_settings(client, store_id, chat={"matchingAlgo": "fuzzy"})
    async with _tapped_client(settings, account) as (tapped_client, tap):
        profile_id = await make_profile(tapped_client, store_id, chat="Ada Lovelace")
        await look_up(tapped_client, store_id, "chat", "Ada")
        tap.sent.clear()
        assert await look_up(tapped_client, store_id, "chat", "Ada Lovelac") == [profile_id]
        assert tap.sent == ["(prepared)"]


async def test_a_write_is_one_query_and_a_transaction_of_four_round_trips(
    settings: Settings, account: tuple[str, str], store_id: str
) -> None:
    async with _tapped_client(settings, account) as (client, tap):
        for person in ("first", "second"):  # the first prepares the statements of the connections
            await make_profile(client, store_id, chat=person)
            for contact in (
                {"email": f"{person}@example.com"},  # create
                {"chat": person, "city": "Gary"},  # update
                {"chat": person, "email": f"{person}@example.com"},  # merge
            ):
                tap.sent.clear()
                await make_profile(client, store_id, **contact)
                if person == "second":
                    assert tap.sent[:1] == ["(prepared)"]
                    assert [each.partition(" ")[0].strip(";") for each in tap.sent[1:]] == [
                        "BEGIN", "(prepared)", "(prepared)", "COMMIT",
                    ]  # fmt: skip


def _read_as_is(change: Change, _store: StoreRules) -> Change:
    return change


async def test_writes_find_their_rows_by_more_than_the_store_even_on_empty_tables(
    database_url: str,
) -> None:
    """A plan made while a table is empty stays until the next ANALYZE, so it must also suit a full table."""
    one_connection = Database(database_url, pool_size=1)
    store = await make_store(one_connection, DEFAULT_SETTINGS)
    for person in ({"chat": "c"}, {"email": "e"}, {"chat": "c"}, {"chat": "c", "email": "e"}):
        identifiers = tuple(NormalizedIdentifier(id_type, NormalizedValue(value)) for id_type, value in person.items())
        change = Change(identifiers, {TraitName("Contact", "city"): "Gary"})
        await ingest(one_connection, store, partial(_read_as_is, change), datetime.now(UTC))
    async with one_connection.statements() as connection:
        plans = await plans_of(connection, "insert into identifier")
    await one_connection.close()
    assert len(plans) == 3  # create, update, merge
    scans = [node for plan in plans for node in nodes_of(plan) if "Scan" in node["Node Type"] and "Alias" in node]
    stored = [node for node in scans if node.get("Relation Name") in {"identifier", "profile", "alias"}]
    assert {node["Relation Name"] for node in stored} == {"identifier", "profile", "alias"}
    for node in [
        *stored,
        *(node for plan in plans for node in nodes_of(plan) if node["Node Type"] == "Bitmap Index Scan"),
    ]:
        assert node["Node Type"] != "Seq Scan", node
        if node["Node Type"] not in {"Bitmap Heap Scan", "Tid Scan"}:  # they read the rows that another node found
            assert any(column in node["Index Cond"] for column in ("profile_id", " id ", "(id ", "(value ")), node


@pytest.mark.slow
@pytest.mark.parametrize("are_unique", [True, False])
async def test_writes_on_empty_tables_read_no_whole_table_or_store(
    client: httpx.AsyncClient, store_id: str, database: Database, are_unique: bool
) -> None:
    """A connection keeps a generic plan that it made while a table was empty, so that must be the right plan."""
    is_unique = {"enforceUnique": are_unique}
    await change_settings(client, store_id, chat=is_unique, whatsapp=is_unique)
    async with database.statements() as connection:
        for table in ("identifier", "profile", "alias"):
            await connection.execute(text(f"truncate {table} cascade"))
    query = text("""
        select relname, coalesce(seq_scan, 0) from pg_stat_user_tables
        where relname in ('identifier', 'profile', 'alias')
    """)

    async def sequential_scans() -> dict[str, int]:
        await asyncio.sleep(_STATISTICS_ARRIVE)
        async with database.transaction() as connection:
            await connection.execute(text("select pg_stat_clear_snapshot()"))
            return {row[0]: row[1] for row in await connection.execute(query)}

    before = await sequential_scans()
    await make_profile(client, store_id, chat="c-1")
    await make_profile(client, store_id, email="a@example.com")
    await make_profile(client, store_id, chat="c-1", city="Gary")
    await make_profile(client, store_id, chat="c-1", email="a@example.com")
    await make_profile(client, store_id, chat="c-1", whatsapp="w-1")
    await make_profile(client, store_id, chat="c-1", whatsapp="w-1")
    for number in range(200):
        await make_profile(client, store_id, chat=f"n-{number}")
    for number in range(200):
        await make_profile(client, store_id, chat=f"n-{number}", city="Gary")
    assert await sequential_scans() == before
    async with database.transaction() as connection:
        read = await connection.scalar(
            text("select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'identifier'")
        )
    assert 200 < read < 200 * 20  # entries of indexes; a whole store would be 200 for each write


@pytest.mark.parametrize("is_filled", [False, True])
async def test_the_values_of_a_store_are_read_in_the_order_of_the_primary_key(
    client: httpx.AsyncClient, store_id: str, database: Database, is_filled: bool
) -> None:
    if is_filled:
        async with database.transaction() as connection:
            await connection.execute(text(_FILL))
        async with database.statements() as connection:
            await connection.execute(text("vacuum analyze"))
    async with database.statements() as connection:
        parameters = {"store_id": ids.decoded(store_id), "id_type": "chat", "value": "chat-1", "limit": 500}
        explained = await connection.execute(text(f"explain (format json) {NEXT_VALUES}"), parameters)
    (scan,) = [node for node in nodes_of(explained.scalar_one()[0]["Plan"]) if "Relation Name" in node]
    assert (scan["Node Type"], scan["Index Name"]) == ("Index Only Scan", "identifier_pkey")
    assert "ROW(id_type, value)" in scan["Index Cond"]
