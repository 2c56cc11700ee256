"""The hot paths keep their plans, also those made while the tables were empty, and their number of statements."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.app import create_app
from profile_lookup.database.engine import Database
from profile_lookup.profiles.queries import CANONICAL_PROFILE_IDS
from profile_lookup.settings import Settings
from tests.conftest import BASE_URL, look_up, make_profile
from tests.database.tap import Tap, tapped

_FILL = """
    with made as (
        insert into profile (store_id, id, created_at)
        select id, gen_random_uuid(), now() from store, generate_series(1, 20000)
        returning store_id, id
    )
    insert into identifier (store_id, id_type, value, profile_id, is_unique, added_at)
    select store_id, 'chat', 'chat-' || row_number() over (), id, true, now() from made
"""


async def _lookup_plan(connection: AsyncConnection) -> dict[str, Any]:
    """The plan as the pool's connections make it: generic."""
    types = {
        "sid": "text", "secret_sha256": "bytea", "store_id": "uuid", "id_type": "text", "value": "text",
        "max_profiles": "bigint",
    }  # fmt: skip
    question = str(CANONICAL_PROFILE_IDS)
    for position, name in enumerate(types, 1):
        question = question.replace(f":{name}", f"${position}")
    await connection.exec_driver_sql(f"prepare lookup ({', '.join(types.values())}) as {question}")
    plan = await connection.exec_driver_sql("explain (format json) execute lookup ('', '', null, '', '', 100)")
    found: dict[str, Any] = plan.scalar_one()[0]["Plan"]
    return found


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in _nodes(child))]


@pytest.mark.parametrize("is_filled", [False, True])
async def test_a_lookup_reads_the_identifiers_from_their_key_alone(
    client: httpx.AsyncClient, store_id: str, database: Database, is_filled: bool
) -> None:
    if is_filled:
        async with database.transaction() as connection:
            await connection.execute(text(_FILL))
        async with database.statements() as connection:
            await connection.execute(text("vacuum analyze"))
    async with database.transaction() as connection:
        nodes = _nodes(await _lookup_plan(connection))
    (access,) = [node for node in nodes if node.get("Relation Name") == "identifier"]
    assert (access["Node Type"], access["Index Name"]) == ("Index Only Scan", "identifier_pkey")
    assert not any(node["Node Type"] == "Sort" for node in nodes)  # the key is already in canonical order


@asynccontextmanager
async def _tapped_client(settings: Settings, account: tuple[str, str]) -> AsyncIterator[tuple[httpx.AsyncClient, Tap]]:
    assert settings.database_url is not None
    async with tapped(settings.database_url.get_secret_value()) as tap:
        app = create_app(settings.model_copy(update={"database_url": SecretStr(tap.url), "pool_size": 2}))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=account) as client,
        ):
            yield client, tap


async def test_a_lookup_is_one_round_trip(settings: Settings, account: tuple[str, str], store_id: str) -> None:
    async with _tapped_client(settings, account) as (client, tap):
        profile_id = await make_profile(client, store_id, chat="c-1")
        await look_up(client, store_id, "chat", "c-1")  # from now on the store is known
        tap.sent.clear()
        assert await look_up(client, store_id, "chat", "c-1") == [profile_id]
        assert tap.sent == ["(prepared)"]
        assert await look_up(client, store_id, "phone", "+13175551234") == []
        assert tap.sent == ["(prepared)"] * 2


async def test_a_write_is_two_questions_and_a_transaction_of_four_round_trips(
    settings: Settings, account: tuple[str, str], store_id: str
) -> None:
    async with _tapped_client(settings, account) as (client, tap):
        for person in ("first", "second"):  # the first lets the connections learn their statements
            await make_profile(client, store_id, chat=person)
            for contact in (
                {"email": f"{person}@example.com"},  # create
                {"chat": person, "city": "Gary"},  # update
                {"chat": person, "email": f"{person}@example.com"},  # merge
            ):
                tap.sent.clear()
                await make_profile(client, store_id, **contact)
                if person == "second":
                    assert tap.sent[:2] == ["(prepared)", "(prepared)"]
                    assert [each.partition(" ")[0].strip(";") for each in tap.sent[2:]] == [
                        "BEGIN", "(prepared)", "(prepared)", "COMMIT",
                    ]  # fmt: skip


async def test_writes_on_fresh_tables_read_no_table_from_end_to_end(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    """A generic plan that is made while a table is empty sticks to its connection: it must be the right one."""
    async with database.statements() as connection:
        for table in ("identifier", "profile", "trait", "alias"):
            await connection.execute(text(f"truncate {table} cascade"))
    question = text("""
        select relname, coalesce(seq_scan, 0) from pg_stat_user_tables
        where relname in ('identifier', 'profile', 'trait', 'alias')
    """)

    async def sequential_scans() -> dict[str, int]:
        async with database.transaction() as connection:
            await connection.execute(text("select pg_stat_clear_snapshot()"))
            return {row[0]: row[1] for row in await connection.execute(question)}

    before = await sequential_scans()
    await make_profile(client, store_id, chat="c-1")
    await make_profile(client, store_id, email="a@example.com")
    await make_profile(client, store_id, chat="c-1", city="Gary")
    await make_profile(client, store_id, chat="c-1", email="a@example.com")
    assert await sequential_scans() == before
