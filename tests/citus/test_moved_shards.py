"""A shard that moves to another node: no write to it is lost, and its store's feed goes on without a gap."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest

from profile_lookup.database.pool import Database
from profile_lookup.settings import load_settings
from profile_lookup.web import ids
from tests.citus.distributed import distribute
from tests.citus.store_node import move_store
from tests.conftest import BASE_URL, PATIENCE, make_account, make_profile, make_store
from tests.contract.conforming import ConformingTransport
from tests.history.feeds import read_page
from tests.running_service import app_with_worker

WRITE = "select share_rules($1, cast($2 as uuid))"
"""The first statement of each write. The node takes locks for it until the transaction ends."""

WAITING = """
    select sum(cast(result as integer))
    from run_command_on_all_nodes($$ select count(*) from pg_locks where not granted and locktype = 'advisory' $$)
"""


async def until_somebody_waits(node: asyncpg.Connection) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await node.fetchval(WAITING):
            await asyncio.sleep(0.01)


@asynccontextmanager
async def service(url: str, directory: Path, account: tuple[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    app = app_with_worker(load_settings(database_url=url, data_dir=directory))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=account) as client,
    ):
        yield client


@pytest.fixture
async def citus_account(citus_urls: Sequence[str]) -> tuple[str, str]:
    database = Database(citus_urls[0], pool_size=1)
    try:
        return await make_account(database)
    finally:
        await database.close()


async def test_a_feed_goes_on_after_its_shard_was_moved_there_and_back(
    nodes: Sequence[asyncpg.Connection], citus_urls: Sequence[str], citus_account: tuple[str, str], tmp_path: Path
) -> None:
    async with service(citus_urls[0], tmp_path, citus_account) as client:
        store_id = await make_store(client)
        uuid = ids.decoded(store_id)
        assert uuid is not None
        read = [await make_profile(client, store_id, chat=f"read-{number}") for number in range(20)]
        page = await read_page(client, store_id)
        unread = await make_profile(client, store_id, chat="unread-1")
    assert [event["profileId"] for event in page["events"]] == read
    expected = [unread]
    for move in range(2):
        await move_store(nodes[0], uuid)
        async with service(citus_urls[1], tmp_path, citus_account) as client:
            refused = await client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": {"Contact": {"chat": "no"}}})
            assert refused.status_code == 503
        await distribute(citus_urls[0])
        async with service(citus_urls[2], tmp_path, citus_account) as client:
            for number in range(3):
                following = await read_page(client, store_id, page["meta"]["nextToken"])
                assert [event["profileId"] for event in following["events"]] == expected
                page, expected = following, [await make_profile(client, store_id, chat=f"{move}-{number}")]


async def test_a_shard_moves_only_after_the_writes_that_have_begun(
    nodes: Sequence[asyncpg.Connection], citus_urls: Sequence[str], citus_account: tuple[str, str], tmp_path: Path
) -> None:
    async with service(citus_urls[0], tmp_path, citus_account) as client:
        store = ids.decoded(await make_store(client))
        assert store is not None
    transaction = nodes[1].transaction()
    await transaction.start()
    await nodes[1].execute(WRITE, 1, store)
    move = asyncio.create_task(move_store(nodes[0], store))
    await until_somebody_waits(nodes[2])
    assert not move.done()
    await transaction.commit()
    await move


async def test_a_write_that_waited_for_a_move_is_refused_and_changes_nothing(
    nodes: Sequence[asyncpg.Connection], citus_urls: Sequence[str], citus_account: tuple[str, str], tmp_path: Path
) -> None:
    async with service(citus_urls[1], tmp_path, citus_account) as client:
        store_id = await make_store(client)
        uuid = ids.decoded(store_id)
        assert uuid is not None
        kept = await make_profile(client, store_id, chat="before")
        move = nodes[0].transaction()
        await move.start()
        await move_store(nodes[0], uuid)
        late = {"traits": {"Contact": {"chat": "late"}}}
        write = asyncio.create_task(client.post(f"/v1/Stores/{store_id}/Profiles", json=late))
        await until_somebody_waits(nodes[2])
        await move.commit()
        assert (await write).status_code == 503
        await distribute(citus_urls[0])
    async with service(citus_urls[2], tmp_path, citus_account) as client:
        listed = (await client.get(f"/v1/Stores/{store_id}/Profiles")).json()
        assert listed["profiles"] == [kept]
        assert await make_profile(client, store_id, chat="late") != kept
