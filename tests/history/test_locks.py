"""A split locks one person. It is stopped in its middle here, by a lock on the table that it writes last."""

import asyncio
from contextlib import AbstractAsyncContextManager

import httpx
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings
from profile_lookup.web import ids
from tests.citus.store_node import locked_for_store
from tests.conftest import PATIENCE, WAITING, change_settings, look_up, make_profile, make_store
from tests.history.splits import joins_of, merged, parts_after, split

ANN, BOB = "ann@example.com", "+13175550001"


def locked_separations(settings: Settings, store_id: str) -> AbstractAsyncContextManager[None]:
    uuid = ids.decoded(store_id)
    assert uuid is not None
    assert settings.database_url is not None
    return locked_for_store(settings.database_url.get_secret_value(), "separation", uuid)


async def until_waiting(database: Database, sessions: int) -> None:
    async with asyncio.timeout(PATIENCE), database.statements() as connection:
        while await connection.scalar(text(WAITING)) < sessions:
            await asyncio.sleep(0.01)


async def test_no_other_profile_and_no_other_store_waits_for_a_split(
    client: httpx.AsyncClient, store_id: str, database: Database, settings: Settings
) -> None:
    other_store = await make_store(client, "others")
    ann, _ = await merged(client, store_id)
    for number in range(100, 240):  # of these, 40 are evicted, and would come back
        await make_profile(client, store_id, email=ANN, phone=f"+1317555{number:04}")
    other = await make_profile(client, store_id, chat="other-1")
    joins = await joins_of(database, ann)
    async with locked_separations(settings, store_id):
        splitting = asyncio.create_task(split(client, store_id, ann, joins))
        await until_waiting(database, 1)
        assert await make_profile(client, store_id, chat="other-1", city="Bern") == other
        await make_profile(client, store_id, chat="new-1", whatsapp="new-1")
        await make_profile(client, other_store, email=ANN, phone=BOB)
        await parts_after(client, other_store, *await mergeable(client, other_store, database), keepApart=False)
        assert await look_up(client, store_id, "email", ANN) == [ann]
        assert await look_up(client, store_id, "phone", "+13175550239") == [ann]  # until the split is done
        same = asyncio.create_task(make_profile(client, store_id, phone=BOB))
        await until_waiting(database, 2)
        assert not splitting.done()
        assert not same.done()
    assert (await splitting).status_code == 202
    assert [await same] == await look_up(client, store_id, "phone", BOB) != [ann]


async def mergeable(client: httpx.AsyncClient, store_id: str, database: Database) -> tuple[str, list[str]]:
    """Make a profile of another store that can be split, and return it with its joins."""
    cleo = await make_profile(client, store_id, chat="cleo-1")
    await make_profile(client, store_id, chat="cleo-1", whatsapp="cleo-2")
    return cleo, await joins_of(database, cleo)


async def test_a_value_that_somebody_adds_meanwhile_has_one_holder(
    client: httpx.AsyncClient, store_id: str, database: Database, settings: Settings
) -> None:
    await change_settings(client, store_id, phone={"limit": 1})
    office = await make_profile(client, store_id, email="office@example.com", phone=BOB)
    await make_profile(client, store_id, email="office@example.com", phone="+13175550002")
    joins = await joins_of(database, office)
    async with locked_separations(settings, store_id):
        splitting = asyncio.create_task(split(client, store_id, office, joins))
        await until_waiting(database, 1)
        taking = asyncio.create_task(make_profile(client, store_id, phone=BOB, city="Bern"))
        await until_waiting(database, 2)
    assert (await splitting).status_code == 202
    assert await taking == office
    assert await look_up(client, store_id, "phone", BOB) == [office]


async def test_of_two_splits_at_once_one_is_a_conflict(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, _ = await merged(client, store_id)
    joins = await joins_of(database, ann)
    answers = await asyncio.gather(*(split(client, store_id, ann, joins) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]


async def test_splits_and_writes_at_once_leave_each_value_to_one_profile(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await change_settings(client, store_id, phone={"limit": 2})
    phones = [f"+1317555000{number}" for number in range(8)]
    office = await make_profile(client, store_id, email="office@example.com")
    for phone in phones:
        await make_profile(client, store_id, email="office@example.com", phone=phone)
    joins = await joins_of(database, office)
    splits, _ = await asyncio.gather(
        asyncio.gather(*(split(client, store_id, office, [join]) for join in joins)),
        asyncio.gather(*(make_profile(client, store_id, phone=phone) for phone in phones)),
    )
    # A join whose phone has another holder by then leaves nobody.
    assert {answer.status_code for answer in splits} <= {202, 400}
    found = [await look_up(client, store_id, "phone", phone) for phone in phones]
    assert [len(each) for each in found] == [1] * len(phones)
