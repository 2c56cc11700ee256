"""A join is undone over HTTP: the parts are profiles again, and everything that leads to them is theirs."""

from datetime import datetime

import httpx
from sqlalchemy import text

from profile_lookup.database.pool import Database
from tests.conftest import change_settings, look_up, make_profile
from tests.database.contents import contents
from tests.history.feeds import read_page
from tests.history.splits import events_of, joins_of, merged, parts_after, separated_from, split, stored_profile

ANN, BOB = "ann@example.com", "+13175550001"


async def test_a_merge_is_undone(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    ann, bob = await merged(client, store_id)
    parts = await parts_after(client, store_id, ann, await joins_of(database, ann))
    assert [(part["id"], part["isNew"]) for part in parts] == [(ann, False), (bob, False)]
    assert await look_up(client, store_id, "email", ANN) == [ann]
    assert await look_up(client, store_id, "phone", BOB) == [bob]
    for part in parts:
        assert await stored_profile(client, store_id, part["id"]) == (part["traits"], part["identifiers"])
    # The request that merged them was about the part that matched by the earlier rule.
    assert parts[0]["traits"]["Contact"]["city"] == "Bern"
    assert parts[1]["traits"] == {"Contact": {"firstName": "Bob", "phone": BOB}}


async def test_a_revived_profile_is_as_old_as_it_was(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann = await make_profile(client, store_id, email=ANN)
    bob = await make_profile(client, store_id, phone=BOB)
    before = await _times_of_creation(database)
    await make_profile(client, store_id, email=ANN, phone=BOB)
    await parts_after(client, store_id, ann, await joins_of(database, ann))
    assert await _times_of_creation(database) == before
    assert (await client.get(f"/v1/Stores/{store_id}/Profiles/{bob}")).status_code == 200


async def test_the_request_of_an_update_becomes_a_profile_with_the_id_and_the_time_of_its_event(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    office = await make_profile(client, store_id, email="office@example.com", phone=BOB)
    await make_profile(client, store_id, email="office@example.com", phone="+13175550002", firstName="Cleo")
    (join,) = await joins_of(database, office)
    async with database.statements() as connection:
        happened_at = await connection.scalar(text("select happened_at from event where kind = 'updated'"))
    first, cleo = await parts_after(client, store_id, office, [join])
    assert (cleo["id"], cleo["isNew"]) == (f"mem_profile_{join[-26:]}", True)
    assert cleo["identifiers"] == [{"idType": "phone", "values": ["+13175550002"]}]
    assert cleo["traits"]["Contact"] == {
        "email": "office@example.com", "firstName": "Cleo", "phone": "+13175550002",
    }  # fmt: skip
    assert await stored_profile(client, store_id, cleo["id"]) == (cleo["traits"], cleo["identifiers"])
    assert happened_at in await _times_of_creation(database)
    assert await events_of(database, cleo["id"], "created") == [join]
    assert await look_up(client, store_id, "email", "office@example.com") == [first["id"]] == [office]


async def test_a_split_that_is_sent_twice_is_a_conflict_although_its_event_belongs_to_another_part(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    office = await make_profile(client, store_id, email="office@example.com", phone=BOB)
    await make_profile(client, store_id, email="office@example.com", phone="+13175550002")
    body = {"events": await joins_of(database, office)}
    path = f"/v1/Stores/{store_id}/Profiles/{office}/Splits"
    answers = [await client.post(path, json=body) for _ in range(2)]
    assert [each.status_code for each in answers] == [202, 409]
    assert answers[1].json()["message"] == "events.0: this join was undone already"


async def test_later_writes_belong_to_the_part_that_they_were_about(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await merged(client, store_id)
    joins = await joins_of(database, ann)
    await make_profile(client, store_id, phone=BOB, city="Rome")
    await make_profile(client, store_id, email=ANN, chat="ann-1")
    parts = await parts_after(client, store_id, ann, joins)
    assert parts[0]["identifiers"] == [
        {"idType": "email", "values": [ANN]}, {"idType": "chat", "values": ["ann-1"]},
    ]  # fmt: skip
    assert parts[1]["traits"]["Contact"]["city"] == "Rome"
    assert len(await events_of(database, bob)) == 3  # its creation, Rome, and the split
    # The events of the parts can be undone in turn.
    join = (await events_of(database, ann, "updated"))[-1]
    _, chat = await parts_after(client, store_id, ann, [join])
    assert chat["identifiers"] == [{"idType": "chat", "values": ["ann-1"]}]


async def test_a_value_that_a_limit_evicted_comes_back(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await change_settings(client, store_id, phone={"limit": 1})
    office = await make_profile(client, store_id, email="office@example.com", phone=BOB)
    await make_profile(client, store_id, email="office@example.com", phone="+13175550002")
    assert await look_up(client, store_id, "phone", BOB) == []
    await parts_after(client, store_id, office, await joins_of(database, office))
    assert await look_up(client, store_id, "phone", BOB) == [office]


async def test_the_feed_and_the_events_of_each_part_name_the_other_parts(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await merged(client, store_id)
    after = (await read_page(client, store_id))["meta"]["nextToken"]
    done = await split(client, store_id, ann, await joins_of(database, ann), keepApart=False)
    own, other = (await read_page(client, store_id, after))["events"]
    assert own.keys() == {"id", "kind", "at", "profileId", "actor", "parts"}
    assert (own["kind"], own["id"], own["profileId"]) == ("split", done.json()["eventId"], ann)
    assert own["parts"] == [ann, bob]
    assert other == {
        "id": other["id"], "kind": "split", "at": own["at"], "profileId": bob, "actor": own["actor"], "splitFrom": ann,
    }  # fmt: skip
    for profile, event in ((ann, own), (bob, other)):
        listed = await client.get(f"/v1/Stores/{store_id}/Profiles/{profile}/Events")
        assert listed.json()["events"][0] == event


async def test_a_value_that_somebody_else_has_by_now_stays_there(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await change_settings(client, store_id, phone={"limit": 1})
    office = await make_profile(client, store_id, email="office@example.com", phone=BOB)
    await make_profile(client, store_id, email="office@example.com", phone="+13175550002")
    other = await make_profile(client, store_id, phone=BOB)
    parts = await parts_after(client, store_id, office, await joins_of(database, office))
    assert await look_up(client, store_id, "phone", BOB) == [other]
    assert parts[0]["identifiers"] == [{"idType": "email", "values": ["office@example.com"]}]
    newest = (await client.get(f"/v1/Stores/{store_id}/Profiles/{office}/Events")).json()["events"][0]
    assert (newest["kind"], newest["evicted"]) == ("split", [{"idType": "phone", "value": BOB}])


async def test_an_alias_goes_with_the_profile_that_it_belonged_to(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann = await make_profile(client, store_id, email=ANN)
    bob = await make_profile(client, store_id, phone=BOB)
    alias = await make_profile(client, store_id, chat="bob-1")
    assert await make_profile(client, store_id, phone=BOB, chat="bob-1") == bob
    assert await make_profile(client, store_id, email=ANN, phone=BOB) == ann
    newest = (await joins_of(database, ann))[-1]
    parts = await parts_after(client, store_id, ann, [newest])
    assert [part["id"] for part in parts] == [ann, bob]
    moved = await client.get(f"/v1/Stores/{store_id}/Profiles/{alias}")
    assert (moved.status_code, moved.headers["Canonical-Profile-Id"]) == (301, bob)


async def test_joins_are_undone_one_by_one_as_in_one_call(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    office = await make_profile(client, store_id, email="office@example.com", phone="+13175550000")
    for number in range(1, 4):
        await make_profile(client, store_id, email="office@example.com", phone=f"+1317555000{number}")
    joins = await joins_of(database, office)
    for join in (joins[1], joins[0], joins[2]):
        await parts_after(client, store_id, office, [join])
    expected = [office, *(f"mem_profile_{join[-26:]}" for join in joins)]
    assert [await look_up(client, store_id, "phone", f"+1317555000{number}") for number in range(4)] == [
        [each] for each in expected
    ]
    assert await separated_from(client, store_id, office) == [expected[2], expected[1], expected[3]]


async def test_a_dry_run_answers_the_same_and_changes_nothing(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, _ = await merged(client, store_id)
    joins = await joins_of(database, ann)
    before = await contents(database)
    block = [{"idType": "email", "value": ANN}]
    tried = await split(client, store_id, ann, joins, dryRun=True, block=block)
    assert tried.status_code == 200, tried.text
    assert await contents(database) == before
    assert await parts_after(client, store_id, ann, joins, block=block) == tried.json()["profiles"]


async def test_a_split_of_an_alias_is_redirected(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    ann, bob = await merged(client, store_id)
    moved = await split(client, store_id, bob, await joins_of(database, ann))
    assert moved.status_code == 308
    assert moved.headers["Location"].endswith(f"/Profiles/{ann}/Splits")


async def test_the_split_is_an_event_of_who_asked_for_it(
    client: httpx.AsyncClient, store_id: str, database: Database, account: tuple[str, str]
) -> None:
    ann, _ = await merged(client, store_id)
    done = await split(client, store_id, ann, await joins_of(database, ann))
    assert await events_of(database, ann, "split") == [done.json()["eventId"]]
    async with database.statements() as connection:
        actor = await connection.scalar(text("select document ->> 'o' from event where kind = 'split'"))
    assert actor == f'["a{account[0]}"]'


async def _times_of_creation(database: Database) -> set[datetime]:
    async with database.statements() as connection:
        return set((await connection.execute(text("select created_at from profile"))).scalars())
