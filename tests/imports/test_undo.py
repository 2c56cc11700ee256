"""POST …/Profiles/Imports/{importId}/Undo: the store becomes what it was before the import."""

from collections import Counter

import httpx
import pytest

from profile_lookup.database.pool import Database
from profile_lookup.identity.history.import_undo import BLOCKED, NOT_CONFIGURED, WRITTEN_SINCE
from profile_lookup.imports.undo.undo_job import EVENTS_PER_STEP
from profile_lookup.ingest.attempts import MAX_KEYS_TOGETHER
from tests.conftest import change_settings, finished, look_up, make_profile
from tests.database.archived_stores import exported
from tests.history.splits import joins_of, parts_after, stored_profile
from tests.imports.conftest import create, path_of
from tests.imports.undos import import_of, undo_path, undone


async def test_profiles_that_the_import_made_are_erased(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await make_profile(client, store_id, email="ann@example.com")
    before = await exported(database, store_id)
    import_id = await import_of(client, store_id, "b@example.com,,Bob", "c@example.com,,Cy", "c@example.com,,Cyd")
    made = [(await look_up(client, store_id, "email", f"{each}@example.com"))[0] for each in "bc"]
    results = await undone(client, store_id, import_id)
    assert [each["outcome"] for each in results] == ["erased", "erased"]
    assert [each["profiles"] for each in results] == [[each] for each in made]
    assert await exported(database, store_id) == before
    assert (await client.get(f"/v1/Stores/{store_id}/Profiles/{made[0]}")).status_code == 404


async def test_what_the_import_overwrote_added_and_dropped_comes_back(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await change_settings(client, store_id, phone={"limit": 1})
    ann = await make_profile(client, store_id, email="ann@example.com", phone="+13175550001", firstName="Ann")
    before = await exported(database, store_id)
    import_id = await import_of(
        client, store_id, "ann@example.com,+13175550002,Anna", "ann@example.com,+13175550003,", "x@example.com,,"
    )
    assert await look_up(client, store_id, "phone", "+13175550001") == []
    results = await undone(client, store_id, import_id)
    assert {"outcome": "restored", "profiles": [ann]} in results
    assert Counter(each["outcome"] for each in results) == {"erased": 1, "restored": 1}
    assert await exported(database, store_id) == before


async def test_profiles_that_the_import_joined_are_split_and_nobody_is_kept_apart(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann = await make_profile(client, store_id, email="ann@example.com", firstName="Ann")
    bob = await make_profile(client, store_id, phone="+13175550001", firstName="Bob")
    before = await exported(database, store_id)
    import_id = await import_of(client, store_id, "ann@example.com,+13175550001,Both")
    assert (await client.get(f"/v1/Stores/{store_id}/Profiles/{bob}")).status_code == 301
    assert await undone(client, store_id, import_id) == [{"outcome": "split", "profiles": [ann, bob]}]
    assert await exported(database, store_id) == before
    separations = await client.get(f"/v1/Stores/{store_id}/Profiles/{ann}/Separations")
    assert separations.json()["separations"] == []
    assert await make_profile(client, store_id, email="ann@example.com", phone="+13175550001") == ann


async def test_rows_that_repeat_what_others_had_written_leave_the_times_as_they_were(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    """Of writes that repeat each other, history keeps the first and the last; here, the first is not the import's."""
    for _ in range(2):
        await make_profile(client, store_id, email="ann@example.com", firstName="Ann")
    before = await exported(database, store_id)
    import_id = await import_of(client, store_id, *["ann@example.com,,Ann"] * 3)
    assert await exported(database, store_id) != before
    await undone(client, store_id, import_id)
    assert await exported(database, store_id) == before


async def test_a_dry_run_finds_the_same_and_changes_nothing(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await make_profile(client, store_id, email="ann@example.com", firstName="Ann")
    await make_profile(client, store_id, phone="+13175550001", firstName="Bob")
    rows = ["ann@example.com,+13175550001,Both", "c@example.com,,Cy", "c@example.com,,Cyd", "ann@example.com,,Ann"]
    import_id = await import_of(client, store_id, *rows)
    before = await exported(database, store_id)
    tried = await undone(client, store_id, import_id, dry_run=True)
    assert await exported(database, store_id) == before
    assert await undone(client, store_id, import_id) == tried
    assert await undone(client, store_id, import_id) == []


async def test_what_others_wrote_since_stays_and_is_told(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann = await make_profile(client, store_id, email="ann@example.com", firstName="Ann")
    import_id = await import_of(client, store_id, "ann@example.com,+13175550001,Anna", "bob@example.com,,Bob")
    (bob,) = await look_up(client, store_id, "email", "bob@example.com")
    assert await make_profile(client, store_id, email="ann@example.com", city="Bern") == ann
    assert await make_profile(client, store_id, email="bob@example.com", city="Rom") == bob
    results = {each["profiles"][0]: each for each in await undone(client, store_id, import_id)}
    assert {profile: each["outcome"] for profile, each in results.items()} == {ann: "restored", bob: "left"}
    assert all("what they wrote stays" in each["reason"] for each in results.values())
    traits, identifiers = await stored_profile(client, store_id, ann)
    assert traits["Contact"] == {"email": "ann@example.com", "firstName": "Ann", "city": "Bern"}
    assert [each["idType"] for each in identifiers] == ["email"]
    traits, identifiers = await stored_profile(client, store_id, bob)
    assert traits["Contact"] == {"email": "bob@example.com", "city": "Rom"}
    assert [each["idType"] for each in identifiers] == ["email"]


async def test_a_profile_that_only_the_import_identifies_stays_as_it_is_if_others_wrote_to_it(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    import_id = await import_of(client, store_id, "bob@example.com,,Bob")
    (bob,) = await look_up(client, store_id, "email", "bob@example.com")
    path = f"/v1/Stores/{store_id}/Profiles/{bob}"
    patched = await client.patch(path, json={"traits": {"Contact": {"city": "Rom"}}})
    assert patched.status_code == 202, patched.text
    before = await exported(database, store_id)
    (result,) = await undone(client, store_id, import_id)
    assert (result["outcome"], result["profiles"]) == ("left", [bob])
    assert "nothing but the import identifies it" in result["reason"]
    assert await exported(database, store_id) == before


async def test_a_profile_that_stays_as_it_is_has_one_result_although_an_earlier_step_looks_at_it(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await change_settings(client, store_id, phone={"limit": 1})
    ann = await make_profile(client, store_id, email="ann@example.com", phone="+13175550001")
    between = [f"x@example.com,,Name {number}" for number in range(EVENTS_PER_STEP + 2)]
    rows = ["ann@example.com,+13175550002,", *between, "bob@example.com,+13175550001,Bob"]
    import_id = await import_of(client, store_id, *rows)
    (bob,) = await look_up(client, store_id, "phone", "+13175550001")
    patched = await client.patch(f"/v1/Stores/{store_id}/Profiles/{bob}", json={"traits": {"Contact": {"city": "Rom"}}})
    assert patched.status_code == 202, patched.text
    tried = await undone(client, store_id, import_id, dry_run=True)
    assert [(each["outcome"], each["profiles"]) for each in tried if "reason" in each] == [
        ("restored", [ann]),
        ("left", [bob]),
    ]
    assert await undone(client, store_id, import_id) == tried


async def test_a_value_that_somebody_else_has_by_now_stays_there(client: httpx.AsyncClient, store_id: str) -> None:
    await change_settings(client, store_id, phone={"limit": 1})
    ann = await make_profile(client, store_id, email="ann@example.com", phone="+13175550001")
    import_id = await import_of(client, store_id, "ann@example.com,+13175550002,")
    bob = await make_profile(client, store_id, phone="+13175550001")
    (result,) = await undone(client, store_id, import_id)
    assert (result["outcome"], result["profiles"]) == ("restored", [ann])
    assert "belongs to another profile by now" in result["reason"]
    assert await look_up(client, store_id, "phone", "+13175550001") == [bob]


async def test_a_value_that_is_blocked_by_now_does_not_come_back_and_is_told(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await change_settings(client, store_id, phone={"limit": 1})
    ann = await make_profile(client, store_id, email="ann@example.com", phone="+13175550001")
    import_id = await import_of(client, store_id, "ann@example.com,+13175550002,")
    blocked = {"builtIn": True, "values": [{"idType": "phone", "value": "+13175550001"}]}
    await finished(client, await client.put(f"/v1/ControlPlane/Stores/{store_id}/BlockedValues", json=blocked))
    (result,) = await undone(client, store_id, import_id)
    assert (result["outcome"], result["profiles"]) == ("restored", [ann])
    assert result["reason"] == BLOCKED
    assert await look_up(client, store_id, "email", "ann@example.com") == [ann]


async def test_a_value_of_a_type_that_was_removed_does_not_come_back_and_is_told(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await change_settings(client, store_id, phone={"limit": 1})
    ann = await make_profile(client, store_id, email="ann@example.com", phone="+13175550001")
    import_id = await import_of(client, store_id, "ann@example.com,+13175550002,")
    number = f"/v1/Stores/{store_id}/Profiles/{ann}/Identifiers/phone"
    assert (await client.delete(number, params={"value": "+13175550002"})).status_code == 202
    path = f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"
    settings = (await client.get(path)).json()
    settings["identifierConfigs"] = [each for each in settings["identifierConfigs"] if each["idType"] != "phone"]
    settings["matchingRules"].remove("phone")
    operation = await finished(client, await client.put(path, json=settings))
    assert operation["status"] == "COMPLETED"
    (result,) = await undone(client, store_id, import_id)
    assert (result["outcome"], result["profiles"]) == ("restored", [ann])
    assert result["reason"] == f"{WRITTEN_SINCE}; {NOT_CONFIGURED}"


async def test_a_value_that_only_the_import_had_given_and_taken_is_not_missed(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await change_settings(client, store_id, phone={"limit": 1})
    ann = await make_profile(client, store_id, email="ann@example.com", phone="+13175550001")
    rows = ["ann@example.com,+13175550002,", "ann@example.com,+13175550003,", "bob@example.com,+13175550002,"]
    import_id = await import_of(client, store_id, *rows)
    await make_profile(client, store_id, email="bob@example.com", phone="+13175550002")
    assert {"outcome": "restored", "profiles": [ann]} in await undone(client, store_id, import_id)


async def test_people_whom_numbers_of_the_next_line_made_one_person_are_there_again(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    """That is one person with more values than a step of several people may lock."""
    people = range(MAX_KEYS_TOGETHER * 2 // 3)
    await import_of(client, store_id, *(f"p{each}@example.com,+1317{5550000 + each}," for each in people))
    before = await exported(database, store_id)
    import_id = await import_of(client, store_id, *(f"p{each}@example.com,+1317{5550001 + each}," for each in people))
    (result,) = await undone(client, store_id, import_id)
    assert (result["outcome"], len(result["profiles"])) == ("split", len(people))
    assert await exported(database, store_id) == before


@pytest.mark.parametrize("others", ["no others", "others"])
async def test_values_that_moved_from_one_profile_to_another_by_the_import_come_back(
    client: httpx.AsyncClient, store_id: str, database: Database, others: str
) -> None:
    """Ann loses a number that Bob gets, and Bob one that Ann gets: no order of the two gives both back."""
    await change_settings(client, store_id, phone={"limit": 1})
    ann = await make_profile(client, store_id, email="ann@example.com", phone="+13175550001")
    bob = await make_profile(client, store_id, email="bob@example.com", phone="+13175550002")
    if others == "others":  # who hold a value in between by the import alone
        await make_profile(client, store_id, email="cy@example.com", phone="+13175550009")
    before = await exported(database, store_id)
    rows = ["ann@example.com,+13175550003,", "bob@example.com,+13175550001,", "ann@example.com,+13175550002,"]
    import_id = await import_of(client, store_id, *rows, "cy@example.com,+13175550003,")
    assert await look_up(client, store_id, "phone", "+13175550002") == [ann]
    assert await look_up(client, store_id, "phone", "+13175550001") == [bob]
    await undone(client, store_id, import_id)
    assert await exported(database, store_id) == before


async def test_an_import_that_has_not_ended_cannot_be_undone(client: httpx.AsyncClient, store_id: str) -> None:
    created = await create(client, store_id, 10)
    refused = await client.post(undo_path(store_id, created["importId"]), json={})
    assert (refused.status_code, refused.json()["code"]) == (409, 20409)
    assert (await client.post(f"{path_of(store_id, created)}/Undo?dryRun=true", json={})).status_code == 400


async def test_the_feed_and_the_events_of_a_profile_tell_of_the_undo(client: httpx.AsyncClient, store_id: str) -> None:
    ann = await make_profile(client, store_id, email="ann@example.com", firstName="Ann")
    bob = await make_profile(client, store_id, phone="+13175550001", firstName="Bob")
    import_id = await import_of(client, store_id, "ann@example.com,+13175550001,Both", "c@example.com,,Cy")
    (cy,) = await look_up(client, store_id, "email", "c@example.com")
    path = f"/v1/Stores/{store_id}"
    follower = (await client.get(f"{path}/Events")).json()["meta"]["nextToken"]
    await undone(client, store_id, import_id)
    feed = (await client.get(f"{path}/Events", params={"after": follower})).json()["events"]
    assert {(each["kind"], each["profileId"]) for each in feed} == {("erased", cy), ("split", ann), ("split", bob)}
    assert {each["actor"]["type"] for each in feed} == {"operation"}
    events = (await client.get(f"{path}/Profiles/{ann}/Events")).json()["events"]
    assert [each["kind"] for each in events] == ["split", "created"]


async def test_an_import_that_is_undone_makes_nobody_a_suspect(client: httpx.AsyncClient, store_id: str) -> None:
    await make_profile(client, store_id, email="office@example.com", firstName="Ann")
    await make_profile(client, store_id, email="office@example.com", firstName="Anna")
    suspects = f"/v1/Stores/{store_id}/Suspects"
    before = (await client.get(suspects)).json()["suspects"]
    import_id = await import_of(client, store_id, *(f"office@example.com,,Name {each}" for each in range(9)))
    assert (await client.get(suspects)).json()["suspects"] != before
    await undone(client, store_id, import_id)
    assert (await client.get(suspects)).json()["suspects"] == before


async def test_what_an_undone_split_had_made_of_a_row_is_erased(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    """The row had joined Ann, and somebody split it off: it is a profile of its own, which only the import made."""
    ann = await make_profile(client, store_id, email="ann@example.com", firstName="Ann")
    import_id = await import_of(client, store_id, "ann@example.com,+13175550001,Bob")
    (join,) = await joins_of(database, ann)
    first, second = await parts_after(client, store_id, ann, [join])
    assert first["id"] == ann
    results = await undone(client, store_id, import_id)
    assert {"outcome": "erased", "profiles": [second["id"]]} in results
    traits, _ = await stored_profile(client, store_id, ann)
    assert traits["Contact"] == {"email": "ann@example.com", "firstName": "Ann"}
