"""A split that cannot be done is refused, and then nothing has changed."""

import httpx
import pytest

from profile_lookup.database.pool import Database
from tests.conftest import make_profile, make_store
from tests.database.contents import contents
from tests.history.splits import joins_of, merged, parts_after, split

ANN = "ann@example.com"


async def test_a_join_is_undone_once(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    ann, _ = await merged(client, store_id)
    joins = await joins_of(database, ann)
    await parts_after(client, store_id, ann, joins)
    again = await split(client, store_id, ann, joins)
    assert (again.status_code, again.json()["code"]) == (409, 20409)
    assert again.json()["message"] == "events.0: this join was undone already"


@pytest.mark.parametrize("change", ["trait", "identifier"])
async def test_a_split_of_a_profile_that_has_changed_since_is_refused(
    client: httpx.AsyncClient, store_id: str, database: Database, change: str
) -> None:
    ann, _ = await merged(client, store_id)
    joins = await joins_of(database, ann)
    path = f"/v1/Stores/{store_id}/Profiles/{ann}"
    stale = (await client.get(path)).headers["ETag"]
    if change == "trait":
        changed = await client.patch(path, json={"traits": {"Contact": {"city": "Rome"}}})
    else:
        changed = await client.post(f"{path}/Identifiers", json={"idType": "chat", "value": "ann-1"})
    assert changed.status_code == 202
    refused = await client.post(f"{path}/Splits", json={"events": joins}, headers={"If-Match": stale})
    assert (refused.status_code, refused.json()["code"]) == (412, 520043)
    current = (await client.get(path)).headers["ETag"]
    done = await client.post(f"{path}/Splits", json={"events": joins}, headers={"If-Match": current})
    assert done.status_code == 202


async def test_what_is_no_join_of_the_profile_is_refused_with_its_position(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, _ = await merged(client, store_id)
    (join,) = await joins_of(database, ann)
    other = await make_profile(client, store_id, email="cleo@example.com")
    await make_profile(client, store_id, email="cleo@example.com", phone="+13175550003")
    (of_other,) = await joins_of(database, other)
    created = f"mem_event_{ann[-26:]}"
    before = await contents(database)
    for event, expected in (
        (of_other, "an event of this profile"),
        ("mem_event_0000000000000000000000000u", "an event of this profile"),
        (created, "a join: an event of kind merged or updated"),
    ):
        refused = await split(client, store_id, ann, [join, event])
        assert (refused.status_code, refused.json()["code"]) == (400, 520046)
        assert refused.json()["message"] == f"events.1: expected {expected}"
    alone = await split(client, store_id, other, [f"mem_event_{other[-26:]}"])
    assert alone.status_code == 400
    assert await contents(database) == before


async def test_an_update_that_leaves_nobody_is_refused(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann = await make_profile(client, store_id, email=ANN)
    await make_profile(client, store_id, email=ANN, city="Bern")
    refused = await split(client, store_id, ann, await joins_of(database, ann))
    assert (refused.status_code, refused.json()["code"]) == (400, 520046)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"events": []},
        {"events": ["mem_profile_00000000000000000000000000"]},
        {"events": ["mem_event_00000000000000000000000000"], "block": [{"idType": "nosuch", "value": "a"}]},
        {"events": ["mem_event_00000000000000000000000000"], "block": [{"idType": "phone", "value": "12345"}]},
        {"events": ["mem_event_00000000000000000000000000"], "undo": True},
    ],
)
async def test_a_malformed_split_is_refused(client: httpx.AsyncClient, store_id: str, body: object) -> None:
    ann = await make_profile(client, store_id, email=ANN)
    refused = await client.post(f"/v1/Stores/{store_id}/Profiles/{ann}/Splits", json=body)
    assert (refused.status_code, refused.json()["code"]) == (400, 520046)


async def test_a_profile_of_another_store_is_not_found(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, _ = await merged(client, store_id)
    other = await make_store(client, "others")
    missing = await split(client, other, ann, await joins_of(database, ann))
    assert (missing.status_code, missing.json()["code"]) == (404, 20404)
