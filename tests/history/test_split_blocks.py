"""A split may block values: what made strangers one person identifies nobody any more."""

import asyncio

import httpx
from sqlalchemy import text

from profile_lookup.database.pool import Database
from tests.conftest import PATIENCE, look_up, make_profile
from tests.database.contents import contents
from tests.history.splits import joins_of, merged, parts_after, split

BOB = "+13175550001"


async def test_blocked_values_identify_nobody_from_then_on(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    office = await make_profile(client, store_id, email="office@example.com", phone=BOB)
    await make_profile(client, store_id, email="Office@Example.com", phone="+13175550002")
    path = f"/v1/ControlPlane/Stores/{store_id}/BlockedValues"
    before = await client.get(path)
    block = [{"idType": "email", "value": "OFFICE@example.com"}]
    parts = await parts_after(client, store_id, office, await joins_of(database, office), block=block)
    assert [part["identifiers"] for part in parts] == [
        [{"idType": "phone", "values": [BOB]}],
        [{"idType": "phone", "values": ["+13175550002"]}],
    ]
    newest = (await client.get(f"/v1/Stores/{store_id}/Profiles/{office}/Events")).json()["events"][0]
    assert (newest["kind"], newest["removed"]) == ("split", [{"idType": "email", "value": "office@example.com"}])
    after = await client.get(path)
    assert after.json() == {**before.json(), "values": [{"idType": "email", "value": "office@example.com"}]}
    assert after.headers["ETag"] != before.headers["ETag"]
    assert await make_profile(client, store_id, email="office@example.com", phone=BOB) == office
    assert await look_up(client, store_id, "email", "office@example.com") == []


async def test_an_operation_removes_blocked_values_from_all_other_profiles(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, _ = await merged(client, store_id)
    await make_profile(client, store_id, chat="shared-1")
    block = [{"idType": "chat", "value": "shared-1"}]
    await parts_after(client, store_id, ann, await joins_of(database, ann), block=block)
    async with asyncio.timeout(PATIENCE):
        while await _stored_values(database, "chat"):
            await asyncio.sleep(0.05)


async def _stored_values(database: Database, id_type: str) -> list[str]:
    async with database.statements() as connection:
        query = text("select value from identifier where id_type = :id_type")
        return list((await connection.execute(query, {"id_type": id_type})).scalars())


async def test_more_blocked_values_than_a_store_may_have_are_refused(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    path = f"/v1/ControlPlane/Stores/{store_id}/BlockedValues"
    values = [{"idType": "chat", "value": f"blocked-{number}"} for number in range(1000)]
    assert (await client.put(path, json={"builtIn": False, "values": values})).status_code == 202
    ann, _ = await merged(client, store_id)
    joins = await joins_of(database, ann)
    before = await contents(database)
    for block, status in ((values[:2], 200), ([{"idType": "chat", "value": "another"}], 400)):
        answer = await split(client, store_id, ann, joins, block=block, dryRun=True)
        assert answer.status_code == status, answer.text
    assert before["event"] == (await contents(database))["event"]
