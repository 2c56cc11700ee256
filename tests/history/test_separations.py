"""The parts of a split never become one person again, until somebody lifts that."""

import httpx

from profile_lookup.database.pool import Database
from tests.conftest import look_up, make_profile
from tests.database.contents import contents
from tests.history.splits import joins_of, merged, parts_after, separated_from, split

ANN, BOB = "ann@example.com", "+13175550001"


async def separated(client: httpx.AsyncClient, store_id: str, database: Database) -> tuple[str, str]:
    """Make two profiles that a split keeps apart."""
    ann, bob = await merged(client, store_id)
    await parts_after(client, store_id, ann, await joins_of(database, ann))
    return ann, bob


def separation(store_id: str, profile: str, other: str) -> str:
    return f"/v1/Stores/{store_id}/Profiles/{profile}/Separations/{other}"


async def test_the_parts_are_listed_with_the_split_that_keeps_them_apart(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await merged(client, store_id)
    done = (await split(client, store_id, ann, await joins_of(database, ann))).json()
    for profile, other in ((ann, bob), (bob, ann)):
        answer = (await client.get(f"/v1/Stores/{store_id}/Profiles/{profile}/Separations")).json()
        (listed,) = answer["separations"]
        assert {**listed, "since": ""} == {"profileId": other, "since": "", "event": done["eventId"]}
        assert answer["meta"] == {"key": "separations", "pageSize": 1}


async def test_a_write_that_names_both_is_about_the_first_one_alone(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await separated(client, store_id, database)
    assert await make_profile(client, store_id, email=ANN, phone=BOB) == ann
    assert await look_up(client, store_id, "phone", BOB) == [bob]


async def test_without_keep_apart_the_next_write_that_names_both_merges_them(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await merged(client, store_id)
    await parts_after(client, store_id, ann, await joins_of(database, ann), keepApart=False)
    assert await separated_from(client, store_id, ann) == []
    assert await look_up(client, store_id, "phone", BOB) == [bob]
    assert await make_profile(client, store_id, email=ANN, phone=BOB) == ann
    assert await look_up(client, store_id, "phone", BOB) == [ann]


async def test_whoever_takes_over_a_part_is_kept_apart_as_well(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    cleo = await make_profile(client, store_id, chat="cleo-1")
    ann, bob = await separated(client, store_id, database)
    assert await make_profile(client, store_id, phone=BOB, chat="cleo-1") == cleo
    assert await separated_from(client, store_id, cleo) == [ann]
    assert await separated_from(client, store_id, ann) == [cleo]
    assert await make_profile(client, store_id, chat="cleo-1", email=ANN) == ann
    assert await look_up(client, store_id, "chat", "cleo-1") == [cleo]
    moved = await client.get(f"/v1/Stores/{store_id}/Profiles/{bob}/Separations")
    assert (moved.status_code, moved.headers["Canonical-Profile-Id"]) == (301, cleo)


async def test_parts_of_a_part_stay_apart_from_the_others(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    cleo = await make_profile(client, store_id, chat="cleo-1")
    ann, bob = await separated(client, store_id, database)
    await make_profile(client, store_id, phone=BOB, chat="cleo-1")
    newest = (await joins_of(database, cleo))[-1]
    await parts_after(client, store_id, cleo, [newest], keepApart=False)
    assert await separated_from(client, store_id, cleo) == []
    assert await separated_from(client, store_id, bob) == [ann]
    assert await make_profile(client, store_id, phone=BOB, email=ANN) == ann
    assert await look_up(client, store_id, "phone", BOB) == [bob]
    assert await make_profile(client, store_id, phone=BOB, chat="cleo-1") == cleo


async def test_a_lifted_separation_permits_the_next_merge(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await separated(client, store_id, database)
    assert (await client.delete(separation(store_id, bob, ann))).status_code == 202
    assert await separated_from(client, store_id, ann) == await separated_from(client, store_id, bob) == []
    assert await look_up(client, store_id, "phone", BOB) == [bob]
    assert await make_profile(client, store_id, email=ANN, phone=BOB) == ann
    assert await look_up(client, store_id, "phone", BOB) == [ann]


async def test_a_later_split_keeps_them_apart_again(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await separated(client, store_id, database)
    await client.delete(separation(store_id, ann, bob))
    await make_profile(client, store_id, email=ANN, phone=BOB)
    await parts_after(client, store_id, ann, (await joins_of(database, ann))[-1:])
    assert await separated_from(client, store_id, ann) == [bob]


async def test_the_id_of_a_merged_profile_names_its_separation_as_well(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    cleo = await make_profile(client, store_id, chat="cleo-1")
    ann, bob = await separated(client, store_id, database)
    await make_profile(client, store_id, phone=BOB, chat="cleo-1")
    assert (await client.delete(separation(store_id, ann, bob))).status_code == 202
    assert await separated_from(client, store_id, cleo) == []


async def test_what_is_not_kept_apart_is_not_found(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await separated(client, store_id, database)
    cleo = await make_profile(client, store_id, chat="cleo-1")
    await client.delete(separation(store_id, ann, bob))
    before = await contents(database)
    for other in (ann, bob, cleo, "mem_profile_00000000000000000000000000", "mem_profile_0000000000000000000000000u"):
        missing = await client.delete(separation(store_id, ann, other))
        assert (missing.status_code, missing.json()["code"]) == (404, 20404)
    malformed = await client.delete(separation(store_id, ann, "ann"))
    assert (malformed.status_code, malformed.json()["code"]) == (400, 520046)
    assert malformed.json()["message"].startswith("otherProfileId: expected mem_profile_ and 26 characters")
    assert await contents(database) == before


async def test_erasing_a_profile_ends_its_separations(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await separated(client, store_id, database)
    assert (await client.delete(f"/v1/Stores/{store_id}/Profiles/{bob}")).status_code == 202
    assert await separated_from(client, store_id, ann) == []


async def test_separations_are_fetched_page_by_page(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    office = await make_profile(client, store_id, email="office@example.com", phone="+13175550000")
    for number in range(1, 4):
        await make_profile(client, store_id, email="office@example.com", phone=f"+1317555000{number}")
    parts = await parts_after(client, store_id, office, await joins_of(database, office))
    path = f"/v1/Stores/{store_id}/Profiles/{office}/Separations?pageSize=2&orderBy=ASC"
    first = (await client.get(path)).json()
    second = (await client.get(f"{path}&pageToken={first['meta']['nextToken']}")).json()
    found = [each["profileId"] for each in (*first["separations"], *second["separations"])]
    assert found == [part["id"] for part in parts[1:]]
    assert "nextToken" not in second["meta"]
