"""Services beside each node of Citus serve the same stores, as if there was one of them."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from profile_lookup.app import create_app
from profile_lookup.database.pool import Database
from profile_lookup.settings import load_settings
from tests.conftest import BASE_URL, look_up, make_account, make_store
from tests.contract.conforming import ConformingTransport
from tests.program.conftest import command

QUOTA = 3


@pytest.fixture
async def clients(citus_urls: Sequence[str], tmp_path: Path) -> AsyncIterator[Sequence[httpx.AsyncClient]]:
    """A client of a service beside each node, the coordinator's first. No worker runs, so no operation ends."""
    database = Database(citus_urls[0], pool_size=1)
    account = await make_account(database)
    await database.close()
    async with AsyncExitStack() as stack:
        opened = []
        for url in citus_urls:
            app = create_app(load_settings(database_url=url, data_dir=tmp_path, max_operations_per_store=QUOTA))
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = ConformingTransport(app)
            client = httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=account, timeout=None)
            opened.append(await stack.enter_async_context(client))
        yield opened


async def test_concurrent_writes_by_all_nodes_leave_one_profile_for_each_person(
    clients: Sequence[httpx.AsyncClient],
) -> None:
    store_id = await make_store(clients[0])
    path = f"/v1/Stores/{store_id}/Profiles"
    chance = random.Random(19)
    contacts = [{"chat": f"c-{chance.randrange(8)}", "email": f"e{chance.randrange(8)}@example.com"} for _ in range(40)]

    async def write(number: int, contact: dict[str, str]) -> None:
        while (
            answer := await clients[number % 3].post(path, json={"traits": {"Contact": contact}})
        ).status_code == 503:
            pass  # it waited too long for a lock
        assert answer.status_code == 202, answer.text

    await asyncio.gather(*[write(number, contact) for number, contact in enumerate(contacts)])
    holders = {
        (id_type, value): [await look_up(client, store_id, id_type, value) for client in clients]
        for contact in contacts
        for id_type, value in contact.items()
    }
    for of_each_node in holders.values():
        assert of_each_node == [of_each_node[0]] * 3
        assert len(of_each_node[0]) == 1
    for contact in contacts:
        chat, email = (holders[each][0] for each in contact.items())
        assert chat == email


async def test_requests_by_all_nodes_share_the_quota_of_operations(clients: Sequence[httpx.AsyncClient]) -> None:
    first, *others = clients
    store_id = await make_store(first)
    path = f"/v1/Stores/{store_id}/Profiles/Bulk"
    answers = await asyncio.gather(*[client.put(path, json={"profiles": [{}]}) for client in others * 6])
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(202), statuses.count(429)) == (QUOTA, len(answers) - QUOTA)


def test_standbys_are_refused(citus_urls: Sequence[str]) -> None:
    refused = command("serve", "--port", "0", DATABASE_URL=citus_urls[0], READ_DATABASE_URLS=citus_urls[1])
    assert refused.returncode == 1
    assert "READ_DATABASE_URLS cannot be used with Citus" in refused.stderr
