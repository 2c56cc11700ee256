"""POST /v1/Stores/{storeId}/Profiles/Lookup"""

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.database.pool import Database
from profile_lookup.web.dependencies import services_of
from tests.api.crowds import make_crowd
from tests.conftest import BASE_URL, change_settings, look_up, make_account, make_profile, make_store
from tests.contract.conforming import ConformingTransport


async def test_a_value_is_normalized_before_it_is_searched(client: httpx.AsyncClient, store_id: str) -> None:
    profile_id = await make_profile(client, store_id, phone="+13175556789")
    answer = await client.post(
        f"/v1/Stores/{store_id}/Profiles/Lookup", json={"idType": "phone", "value": "1-317-555-6789"}
    )
    assert answer.status_code == 200
    assert answer.json() == {"normalizedValue": "+13175556789", "profiles": [profile_id]}


async def test_an_identifier_that_names_nobody_is_no_error(client: httpx.AsyncClient, store_id: str) -> None:
    assert await look_up(client, store_id, "email", "nobody@example.com") == []


async def test_merged_profiles_are_found_as_the_earliest_by_any_of_their_identifiers(
    client: httpx.AsyncClient, store_id: str
) -> None:
    earliest = await make_profile(client, store_id, email="a@example.com")
    later = await make_profile(client, store_id, phone="+442079460958")
    assert later > earliest
    assert await make_profile(client, store_id, phone="+442079460958", email="A@example.com") == earliest
    for id_type, value in (("email", "a@example.com"), ("phone", "442079460958")):
        assert await look_up(client, store_id, id_type, value) == [earliest]


async def test_a_push_user_id_is_trimmed_and_identifies_a_profile(client: httpx.AsyncClient, store_id: str) -> None:
    profile_id = await make_profile(client, store_id, chat="c-1")
    url = f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers"
    assert (await client.post(url, json={"idType": "pushUserID", "value": " p-1"})).status_code == 202
    assert await look_up(client, store_id, "pushUserID", "p-1 ") == [profile_id]
    assert await look_up(client, store_id, "pushUserID", "P-1") == []


async def test_an_unknown_type_is_refused_and_the_known_ones_are_named(
    client: httpx.AsyncClient, store_id: str
) -> None:
    answer = await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json={"idType": "fax", "value": "1"})
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)
    assert "email, whatsapp, phone, chat, pushUserID" in answer.json()["message"]


async def test_a_value_that_does_not_normalize_is_refused_with_the_reason_but_not_the_value(
    client: httpx.AsyncClient, store_id: str
) -> None:
    answer = await client.post(
        f"/v1/Stores/{store_id}/Profiles/Lookup", json={"idType": "phone", "value": "1-800-FLOWERS"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)
    assert "letters" in answer.json()["message"]
    assert "FLOWERS" not in answer.text


async def test_a_store_answers_to_both_of_its_names(client: httpx.AsyncClient, store_id: str) -> None:
    profile_id = await make_profile(client, store_id, chat="c-1")
    other_name = store_id.replace("mem_store_", "mem_service_")
    assert await look_up(client, other_name, "chat", "c-1") == [profile_id]


async def test_profiles_of_another_store_are_not_found(client: httpx.AsyncClient, store_id: str) -> None:
    await make_profile(client, store_id, chat="c-1")
    assert await look_up(client, await make_store(client, "other"), "chat", "c-1") == []


async def test_a_store_of_another_account_does_not_exist(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    body = {"idType": "phone", "value": "+13175556789"}
    absent = "mem_store_7zzzzzzzzzzzzzzzzzzzzzzzzz"
    stranger = await make_account(database)
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=stranger) as other:
        theirs = await other.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json=body)
        nobodys = await other.post(f"/v1/Stores/{absent}/Profiles/Lookup", json=body)
    assert (theirs.status_code, theirs.json()["code"]) == (404, 520041)
    assert theirs.content == nobodys.content


async def test_a_store_that_this_process_knows_stays_hidden_from_strangers(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await look_up(client, store_id, "chat", "c-1")  # now its settings are known here
    stranger = await make_account(database)
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=stranger) as other:
        for body in ({"idType": "phone", "value": "+13175556789"}, {"idType": "fax", "value": "1"}, {}):
            answer = await other.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, 520041)


@pytest.mark.usefixtures("own_database_url")  # it looks into the application
async def test_what_this_process_knows_is_bounded_and_nobody_without_credentials_empties_it(
    app: FastAPI,
    account: tuple[str, str],
    client: httpx.AsyncClient,
    store_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("profile_lookup.stores.admission.MAX_KNOWN_CALLERS", 1)
    known = services_of({"app": app}).admissions._known
    caller = Credentials(account[0], digest(account[1]))
    await look_up(client, store_id, "chat", "c")
    absent = f"/v1/Stores/{'mem_store_' + '0' * 26}/Profiles/Lookup"
    await client.post(absent, json={"idType": "chat", "value": "c"}, auth=("AC", "wrong"))
    assert (caller, store_id) in known
    other = await make_store(client, "other")
    await look_up(client, other, "chat", "c")
    assert known.keys() == {(caller, other)}


async def test_a_store_that_is_not_active_is_not_found(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await look_up(client, store_id, "chat", "c-1")
    async with database.transaction() as connection:
        await connection.execute(text("update store set status = 'PROVISIONING'"))
    answer = await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json={"idType": "chat", "value": "c-1"})
    assert (answer.status_code, answer.json()["code"]) == (404, 520042)


async def test_changed_settings_are_seen_at_once(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    profile_id = await make_profile(client, store_id, chat="MiXeD@x")
    assert await look_up(client, store_id, "chat", "mixed@x") == []
    await change_settings(client, store_id, chat={"normalization": "email"})
    assert await look_up(client, store_id, "chat", "m i x e d @ x") == [profile_id]


async def test_a_type_that_was_just_configured_is_not_refused(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await look_up(client, store_id, "chat", "c-1")
    await change_settings(client, store_id, crm={})
    assert await look_up(client, store_id, "crm", "c-1") == []


async def test_at_most_100_profiles_are_answered_earliest_first(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await make_crowd(database, 120)
    found = await look_up(client, store_id, "chat", "lobby")
    assert len(found) == 100
    assert found == sorted(found)
