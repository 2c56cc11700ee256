"""Values that identify nobody: a store's blocked values, over HTTP."""

import asyncio
import logging
import os
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.jobs import blocked_values
from tests.citus.distributed import CITUS_URL
from tests.conftest import PATIENCE, change_settings, finished, look_up, make_profile, make_store
from tests.database.contents import contents

OFFICE = {"idType": "email", "value": "office@acme.example"}


def path_of(store_id: str) -> str:
    return f"/v1/ControlPlane/Stores/{store_id}/BlockedValues"


async def put(client: httpx.AsyncClient, store_id: str, **members: object) -> httpx.Response:
    return await client.put(path_of(store_id), json={"builtIn": True, **members})


async def removed_by(client: httpx.AsyncClient, store_id: str, **members: object) -> int:
    """Replace the blocked values, and return how many identifiers the operation removed."""
    operation = await finished(client, await put(client, store_id, **members))
    assert operation["status"] == "COMPLETED"
    assert operation["result"] == {"type": "RESOURCE_ID", "id": store_id}
    result = (await client.get(operation["resultUrl"])).json()
    assert result.keys() == {"removed"}
    removed: int = result["removed"]
    return removed


async def identifiers_of(client: httpx.AsyncClient, store_id: str, profile_id: str) -> dict[str, list[str]]:
    answer = await client.get(f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers")
    assert answer.status_code == 200, answer.text
    return {each["idType"]: each["values"] for each in answer.json()["identifiers"]}


async def contact_of(client: httpx.AsyncClient, store_id: str, profile_id: str) -> Mapping[str, object]:
    traits = (await client.get(f"/v1/Stores/{store_id}/Profiles/{profile_id}")).json()["traits"]
    contact: Mapping[str, object] = traits["Contact"]
    return contact


async def create(client: httpx.AsyncClient, store_id: str, **contact: object) -> httpx.Response:
    return await client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": {"Contact": contact}})


async def share(client: httpx.AsyncClient, store_id: str, profile_id: str, chat: str) -> None:
    path = f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers"
    assert (await client.post(path, json={"idType": "chat", "value": chat})).status_code == 202


def error_of(answer: httpx.Response) -> tuple[int, int, str]:
    return answer.status_code, answer.json()["code"], answer.json()["message"]


async def test_a_new_store_begins_with_the_built_in_list(client: httpx.AsyncClient, store_id: str) -> None:
    answer = await client.get(path_of(store_id))
    assert answer.json() == {"builtIn": True, "values": [], "patterns": [], "allowed": []}
    assert answer.headers["ETag"]


async def test_a_store_that_existed_before_blocks_the_placeholders_alone(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("update store set blocked_values = default, revision = revision + 1"))
    assert (await client.get(path_of(store_id))).json()["builtIn"] is False
    first = await make_profile(client, store_id, email="test@test.com", phone="n/a")
    assert await look_up(client, store_id, "email", "test@test.com") == [first]


async def test_what_is_put_is_fetched_in_normalized_form(client: httpx.AsyncClient, store_id: str) -> None:
    document: dict[str, Any] = {
        "builtIn": False,
        "values": [{"idType": "email", "value": " Office@ACME.example"}, OFFICE],
        "patterns": [{"idType": "email", "pattern": "^no-?reply@"}],
        "allowed": [{"idType": "phone", "value": "(222) 222-2222"}],
        "maxProfilesPerValue": 50,
    }
    await finished(client, await client.put(path_of(store_id), json=document))
    answer = (await client.get(path_of(store_id))).json()
    assert answer == document | {"values": [OFFICE], "allowed": [{"idType": "phone", "value": "+12222222222"}]}
    await finished(client, await client.put(path_of(store_id), json=answer))
    assert (await client.get(path_of(store_id))).json() == answer
    await finished(client, await put(client, store_id))
    empty = {"builtIn": True, "values": [], "patterns": [], "allowed": []}
    assert (await client.get(path_of(store_id))).json() == empty


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"builtIn": None}, "builtIn: Field required"),
        ({"values": [OFFICE, {"idType": "fax", "value": "1"}]}, "values.1.idType: not configured in this store"),
        ({"allowed": [{"idType": "email", "value": "nobody"}]}, "allowed.0.value: expected an e-mail address"),
        ({"patterns": [{"idType": "fax", "pattern": "1"}]}, "patterns.0.idType: not configured in this store"),
        ({"patterns": [{"idType": "chat", "pattern": "("}]}, "patterns.0.pattern: expected a regular expression"),
        ({"values": [OFFICE] * 1001}, "values: List should have at most 1000 items"),
        ({"maxProfilesPerValue": 1}, "maxProfilesPerValue: Input should be greater than or equal to 2"),
        ({"maxProfilesPerValue": 1001}, "maxProfilesPerValue: Input should be less than or equal to 1000"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
async def test_blocked_values_that_are_not_well_formed_are_refused(
    client: httpx.AsyncClient, store_id: str, members: dict[str, object], message: str
) -> None:
    status, code, said = error_of(await put(client, store_id, **members))
    assert (status, code) == (400, 520046)
    assert said.startswith(message)
    assert (await client.get(path_of(store_id))).json()["values"] == []


async def test_a_stale_etag_is_refused_and_the_current_one_is_accepted(
    client: httpx.AsyncClient, store_id: str
) -> None:
    old = (await client.get(path_of(store_id))).headers["ETag"]
    accepted = await client.put(path_of(store_id), json={"builtIn": False}, headers={"If-Match": old})
    await finished(client, accepted)
    current = (await client.get(path_of(store_id))).headers["ETag"]
    assert current != old
    refused = await client.put(path_of(store_id), json={"builtIn": True}, headers={"If-Match": old})
    assert error_of(refused)[:2] == (412, 520043)
    assert (await client.get(path_of(store_id))).headers["ETag"] == current


async def test_the_built_in_list_says_why(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/v1/ControlPlane/BuiltInBlockedValues")).json()
    assert "n/a" in answer["placeholders"]
    assert all(each["reason"] for each in answer["values"])
    assert {"+15555555555", "test@test.com"} <= {each.get("value") for each in answer["values"]}
    assert {"noemail", "no-email", "unknown"} <= {each.get("localPart") for each in answer["values"]}


async def test_a_blocked_value_stays_a_trait_and_matches_nobody(client: httpx.AsyncClient, store_id: str) -> None:
    await finished(client, await put(client, store_id, values=[OFFICE]))
    people = [
        await make_profile(client, store_id, email=email, phone=f"+1317555123{number}")
        for number, email in enumerate(
            ["office@acme.example", "Office@acme.example", "n/a", "N/A", "unknown@x.example"]
        )
    ]
    assert len(set(people)) == 5
    for number, person in enumerate(people):
        assert await look_up(client, store_id, "phone", f"+1317555123{number}") == [person]
        assert "email" not in await identifiers_of(client, store_id, person)
        assert "email" in await contact_of(client, store_id, person)
    assert await look_up(client, store_id, "email", "office@acme.example") == []


async def test_a_blocked_value_evicts_nobody(client: httpx.AsyncClient, store_id: str) -> None:
    await change_settings(client, store_id, email={"limit": 1})
    person = await make_profile(client, store_id, email="ada@x.example", phone="+13175551234")
    assert await make_profile(client, store_id, email="n/a", phone="+13175551234") == person
    assert await identifiers_of(client, store_id, person) == {"email": ["ada@x.example"], "phone": ["+13175551234"]}


async def test_a_create_whose_values_are_all_blocked_says_so(client: httpx.AsyncClient, store_id: str) -> None:
    answer = await create(client, store_id, email="N/A", phone="+1 555 555 5555", firstName="Ada")
    assert error_of(answer)[:2] == (400, 520005)
    assert error_of(answer)[2] == (
        "expected a value that identifies somebody; blocked: traits.Contact.email (a word that stands for no value), "
        "traits.Contact.phone (ten equal digits are typed to fill a field; North America has no such area code)"
    )
    assert "1-1500" in error_of(await create(client, store_id, firstName="Ada"))[2]


async def test_a_change_of_traits_to_a_blocked_value_changes_the_trait_alone(
    client: httpx.AsyncClient, store_id: str
) -> None:
    person = await make_profile(client, store_id, email="ada@x.example")
    patched = await client.patch(
        f"/v1/Stores/{store_id}/Profiles/{person}", json={"traits": {"Contact": {"email": "unknown", "chat": "-"}}}
    )
    assert patched.status_code == 202
    assert await identifiers_of(client, store_id, person) == {"email": ["ada@x.example"]}
    assert (await contact_of(client, store_id, person)).items() >= {"email": "unknown", "chat": "-"}.items()


@pytest.mark.parametrize(
    ("id_type", "value"), [("email", "n/a"), ("phone", "0"), ("chat", "None"), ("email", "test@test.com")]
)
async def test_a_blocked_value_cannot_be_added_by_itself_nor_replace_another(
    client: httpx.AsyncClient, store_id: str, id_type: str, value: str
) -> None:
    person = await make_profile(client, store_id, email="ada@x.example", phone="+13175551234", chat="ada")
    path = f"/v1/Stores/{store_id}/Profiles/{person}/Identifiers"
    before = await identifiers_of(client, store_id, person)
    added = await client.post(path, json={"idType": id_type, "value": value})
    assert error_of(added)[:2] == (400, 520046)
    assert error_of(added)[2].startswith("value: expected a value that identifies somebody; this one is blocked (")
    change = {"idType": id_type, "oldValue": before[id_type][0], "newValue": value}
    assert error_of(await client.patch(f"{path}/{id_type}", json=change))[:2] == (400, 520046)
    assert await identifiers_of(client, store_id, person) == before


async def test_a_lookup_of_a_blocked_value_finds_nobody(client: httpx.AsyncClient, store_id: str) -> None:
    await change_settings(client, store_id, whatsapp={"normalization": "none", "matchingAlgo": "fuzzy"})
    for id_type, value in (("email", "test@test.com"), ("phone", "+15555555555"), ("chat", "NaN"), ("whatsapp", " - ")):
        assert await look_up(client, store_id, id_type, value) == []


@pytest.mark.parametrize(("id_type", "value"), [("email", "n/a"), ("phone", "unknown"), ("phone", "0")])
async def test_a_lookup_of_a_placeholder_that_its_type_refuses_is_refused(
    client: httpx.AsyncClient, store_id: str, id_type: str, value: str
) -> None:
    body = {"idType": id_type, "value": value}
    answer = await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json=body)
    assert error_of(answer)[:2] == (400, 520046)


async def test_an_allowed_value_identifies(client: httpx.AsyncClient, store_id: str) -> None:
    await finished(client, await put(client, store_id, allowed=[{"idType": "email", "value": "test@test.com"}]))
    person = await make_profile(client, store_id, email="test@test.com")
    assert await look_up(client, store_id, "email", "Test@test.com") == [person]


async def test_what_is_stored_and_blocked_later_is_removed_and_the_profile_stays(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await change_settings(client, store_id, chat={"enforceUnique": False})
    office = await make_profile(client, store_id, email="office@acme.example", phone="+13175551234")
    bots = [await make_profile(client, store_id, phone=f"+1317555000{number}") for number in range(3)]
    for each in bots:
        await share(client, store_id, each, "bot")
    ada = await make_profile(client, store_id, email="noreply@acme.example", chat="ada")
    patterns = [{"idType": "chat", "pattern": "^bot$"}, {"idType": "email", "pattern": "^no-?reply@"}]
    assert await removed_by(client, store_id, values=[OFFICE], patterns=patterns) == 5
    assert await identifiers_of(client, store_id, office) == {"phone": ["+13175551234"]}
    assert (await contact_of(client, store_id, office))["email"] == "office@acme.example"
    assert await identifiers_of(client, store_id, ada) == {"chat": ["ada"]}
    assert await look_up(client, store_id, "chat", "bot") == []
    assert [await look_up(client, store_id, "phone", f"+1317555000{n}") for n in range(3)] == [[each] for each in bots]
    assert await removed_by(client, store_id, values=[OFFICE], patterns=patterns) == 0


async def test_many_identifiers_are_removed_in_steps(
    client: httpx.AsyncClient, store_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With the product's own sizes, several steps would need some thousand profiles.
    monkeypatch.setattr(blocked_values, "VALUES_PER_STEP", 2)
    monkeypatch.setattr(blocked_values, "IDENTIFIERS_PER_STEP", 2)
    monkeypatch.setattr(blocked_values, "MAX_JUDGING", 0.0)
    await change_settings(client, store_id, chat={"enforceUnique": False})
    for number in range(7):
        person = await make_profile(client, store_id, phone=f"+1317555000{number}", email=f"bot{number}@x.example")
        await share(client, store_id, person, "bot")
    assert (
        await removed_by(client, store_id, patterns=[{"idType": each, "pattern": "^bot"} for each in ("email", "chat")])
        == 14
    )
    assert await look_up(client, store_id, "phone", "+13175550003") != []


_REFUSE_SECOND_REMOVAL = (
    "create sequence removals",  # it counts what is rolled back, too
    """
    create function refuse_second_removal() returns trigger language plpgsql as $$
    begin
        if nextval('removals') = 2 then
            raise exception 'refused' using errcode = 'lock_not_available';
        end if;
        return null;
    end
    $$
    """,
    """
    create trigger refuse_second_removal after delete on identifier
    for each statement execute function refuse_second_removal()
    """,
)


@pytest.mark.skipif(CITUS_URL in os.environ, reason="the sequence of its trigger is not on the nodes of Citus")
@pytest.mark.usefixtures("own_database_url")  # it creates a trigger
async def test_an_interrupted_removal_goes_on_and_counts_all(
    client: httpx.AsyncClient, store_id: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL itself refuses the second removal, as if a lock had not been available."""
    monkeypatch.setattr(blocked_values, "IDENTIFIERS_PER_STEP", 2)  # so that five values take several steps
    async with database.transaction() as connection:
        for statement in _REFUSE_SECOND_REMOVAL:
            await connection.execute(text(statement))
    for number in range(5):
        await make_profile(client, store_id, phone=f"+1317555000{number}", email=f"bot{number}@x.example")
    assert await removed_by(client, store_id, patterns=[{"idType": "email", "pattern": "^bot"}]) == 5
    async with database.transaction() as connection:
        assert await connection.scalar(text("select last_value from removals")) == 4


async def test_values_that_a_new_normalization_makes_blocked_are_removed(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    person = await make_profile(client, store_id, chat="TEST@test.com", phone="+13175551234")
    assert (await change_settings(client, store_id, chat={"normalization": "email"}))["status"] == "COMPLETED"
    assert await look_up(client, store_id, "chat", "test@test.com") == []
    async with asyncio.timeout(PATIENCE):
        while "chat" in await identifiers_of(client, store_id, person):
            await asyncio.sleep(0.05)


async def test_values_that_a_new_normalization_makes_equal_and_blocked_merge_nobody(
    client: httpx.AsyncClient, store_id: str
) -> None:
    people = [
        await make_profile(client, store_id, chat=chat, phone=f"+1317555000{number}")
        for number, chat in enumerate(["TEST@test.com", "Test@test.com", "test@test.com"])
    ]
    assert (await change_settings(client, store_id, chat={"normalization": "email"}))["status"] == "COMPLETED"
    found = [await look_up(client, store_id, "phone", f"+1317555000{number}") for number in range(3)]
    assert found == [[each] for each in people]


async def test_a_blocked_value_is_found_by_nobody_from_the_answer_on(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    """The values are in force at once, even if the operation has not removed anything yet."""
    person = await make_profile(client, store_id, email="office@acme.example", phone="+13175551234")
    async with database.transaction() as connection:
        await connection.execute(text("select from operation for update"))
        await connection.execute(text("lock table identifier in share row exclusive mode"))
        accepted = await put(client, store_id, values=[OFFICE])
        assert accepted.status_code == 202
        assert await look_up(client, store_id, "email", "office@acme.example") == []
        assert "email" in await identifiers_of(client, store_id, person)
    await finished(client, accepted)
    stranger = await make_profile(client, store_id, email="office@acme.example", phone="+13175559999")
    assert stranger != person


async def test_writes_and_removals_at_once_leave_nothing_blocked(client: httpx.AsyncClient, store_id: str) -> None:
    for number in range(30):
        await make_profile(
            client, store_id, email=f"bot{number}@x.example", phone=f"+131755500{number:02}", chat=f"c{number}"
        )
    merges = [create(client, store_id, phone=f"+131755500{n:02}", chat=f"c{29 - n}") for n in range(15)]
    accepted, *merged = await asyncio.gather(
        put(client, store_id, patterns=[{"idType": "email", "pattern": "^bot"}]), *merges
    )
    assert [answer.status_code for answer in merged] == [202] * 15
    operation = await finished(client, accepted)
    assert (await client.get(operation["resultUrl"])).json() == {"removed": 30}


async def test_no_blocked_value_is_in_an_operation(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await make_profile(client, store_id, email="office@acme.example")
    await removed_by(client, store_id, values=[OFFICE])
    assert not [row for row in (await contents(database))["operation"] if "acme" in row]


async def test_settings_that_change_adapt_the_blocked_values(client: httpx.AsyncClient, store_id: str) -> None:
    values = [{"idType": "chat", "value": "Ada@X"}, {"idType": "whatsapp", "value": "bot"}]
    await finished(client, await put(client, store_id, values=values))
    settings = (await client.get(f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings")).json()
    settings["identifierConfigs"] = [each for each in settings["identifierConfigs"] if each["idType"] != "whatsapp"]
    settings["matchingRules"].remove("whatsapp")
    path = f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"
    await finished(client, await client.put(path, json=settings))
    await change_settings(client, store_id, chat={"normalization": "email"})
    answer = (await client.get(path_of(store_id))).json()
    assert answer["values"] == [{"idType": "chat", "value": "ada@x"}]


async def test_the_blocked_values_of_another_account_are_not_found(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    assert (await client.get(path_of(store_id), auth=("AC" + "0" * 32, "x"))).status_code == 401
    missing = f"mem_store_{'0' * 26}"
    assert error_of(await client.get(path_of(missing)))[:2] == (404, 520041)


async def test_a_batch_loses_a_blocked_value_and_not_the_profile(client: httpx.AsyncClient, store_id: str) -> None:
    profiles = [{"traits": {"Contact": {"email": "n/a", "phone": f"+1317555000{number}"}}} for number in range(3)] + [
        {"traits": {"Contact": {"email": "null"}}}
    ]
    operation = await finished(
        client, await client.put(f"/v1/Stores/{store_id}/Profiles/Bulk", json={"profiles": profiles})
    )
    results = (await client.get(operation["resultUrl"])).json()["results"]
    assert [each["status"] for each in results] == ["created"] * 3 + ["failed"]
    assert "traits.Contact.email (a word that stands for no value)" in results[3]["error"]["message"]


async def test_no_message_holds_a_blocked_value(
    client: httpx.AsyncClient, store_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await removed_by(client, store_id, values=[{"idType": "chat", "value": "s3cr3t"}])
    assert "s3cr3t" not in (await create(client, store_id, chat="s3cr3t")).text
    assert "s3cr3t" not in caplog.text


async def test_a_document_of_the_largest_size_is_accepted(client: httpx.AsyncClient, store_id: str) -> None:
    def values(kind: str) -> list[dict[str, str]]:
        return [{"idType": "chat", "value": f"{kind}{number:04}".ljust(255, "ü")} for number in range(1000)]

    patterns = [{"idType": "chat", "pattern": f"^{number}$"} for number in range(100)]
    assert await removed_by(client, store_id, values=values("v"), allowed=values("a"), patterns=patterns) == 0
    assert len((await client.get(path_of(store_id))).json()["allowed"]) == 1000


async def test_stores_block_values_independently(client: httpx.AsyncClient, store_id: str) -> None:
    other = await make_store(client, "others")
    await finished(client, await put(client, store_id, values=[OFFICE]))
    person = await make_profile(client, other, email="office@acme.example")
    assert await look_up(client, other, "email", "office@acme.example") == [person]
