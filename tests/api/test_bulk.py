"""PUT /v1/Stores/{storeId}/Profiles/Bulk, and the result for each profile."""

import json
from itertools import permutations
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from profile_lookup.accounts.credentials import Credentials, digest, new_key_sid, new_secret
from profile_lookup.accounts.grants import Grant
from profile_lookup.accounts.keys import add_key
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import operation_item
from tests.conftest import change_settings, finished, look_up, make_account, make_profile
from tests.database.contents import contents


def contact(**traits: object) -> dict[str, object]:
    return {"traits": {"Contact": traits}}


async def put(client: httpx.AsyncClient, store_id: str, profiles: object) -> httpx.Response:
    return await client.put(f"/v1/Stores/{store_id}/Profiles/Bulk", json={"profiles": profiles})


async def results(client: httpx.AsyncClient, store_id: str, profiles: object) -> list[dict[str, Any]]:
    """Send a batch, wait until it is done, and return its results."""
    operation = await finished(client, await put(client, store_id, profiles))
    assert operation["status"] == "COMPLETED"
    answer = await client.get(operation["resultUrl"], params={"pageSize": 1000})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


async def test_a_batch_is_accepted_as_an_operation(client: httpx.AsyncClient, store_id: str) -> None:
    accepted = await put(client, store_id, [contact(email="a@example.com")])
    body = accepted.json()
    operation = (await client.get(body["statusUrl"])).json()
    assert (accepted.status_code, body["message"]) == (202, "Profile batch accepted for processing.")
    assert (body["operationId"], body["createdAt"]) == (operation["operationId"], operation["createdAt"])
    assert (accepted.headers["Operation-Id"], accepted.headers["Location"]) == (body["operationId"], body["statusUrl"])
    assert accepted.headers["Retry-After"] == "1"
    assert operation["resultUrl"] == f"{body['statusUrl']}/Results"


async def test_the_results_are_in_the_order_of_the_request(client: httpx.AsyncClient, store_id: str) -> None:
    known = await make_profile(client, store_id, chat="known")
    found = await results(
        client,
        store_id,
        [
            contact(email="a@example.com"),
            contact(email="A@Example.com", city="Gary"),  # the profile that the item before created
            contact(chat="known", email="a@example.com"),  # merges both
            contact(city="Gary"),
            contact(phone="nonsense"),
            {"traits": {"Billing": {"plan": "x"}}},
            {},
        ],
    )
    assert [each["index"] for each in found] == list(range(7))
    assert [each["status"] for each in found] == ["created", "updated", "merged", *["failed"] * 4]
    assert found[0]["profileId"] == found[1]["profileId"] != found[2]["profileId"] == known
    assert [each["error"]["code"] for each in found[3:]] == [520010] * 4
    assert {each["error"]["status"] for each in found[3:]} == {400}
    assert found[5]["error"]["message"] == "traits.Billing: no such trait group in this store"
    assert await look_up(client, store_id, "email", "a@example.com") == [known]
    moved = await client.get(f"/v1/Stores/{store_id}/Profiles/{found[0]['profileId']}")
    assert (moved.status_code, moved.headers["Canonical-Profile-Id"]) == (301, known)


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_profiles_that_share_identifiers_in_a_chain_are_one_person(
    client: httpx.AsyncClient, store_id: str, order: tuple[int, ...]
) -> None:
    chain = [
        contact(email="a@x.org", chat="b"),
        contact(chat="b", whatsapp="c"),
        contact(whatsapp="c", phone="+4930123456"),
    ]
    found = await results(client, store_id, [chain[each] for each in order])
    person = min(each["profileId"] for each in found)
    assert (await client.get(f"/v1/Stores/{store_id}/Profiles")).json()["profiles"] == [person]
    for id_type, value in (("email", "a@x.org"), ("chat", "b"), ("whatsapp", "c"), ("phone", "+4930123456")):
        assert await look_up(client, store_id, id_type, value) == [person]


async def test_a_conflicting_profile_fails_alone(client: httpx.AsyncClient, store_id: str) -> None:
    await change_settings(client, store_id, rules=["email"])
    found = await results(
        client, store_id, [contact(chat="c"), contact(email="a@x.org", chat="c"), contact(email="a@x.org")]
    )
    assert [each["status"] for each in found] == ["created", "failed", "created"]
    assert found[1]["error"]["code"] == 20409


async def test_a_value_that_cannot_be_stored_fails_alone(client: httpx.AsyncClient, store_id: str) -> None:
    nested: list[object] = []
    for _ in range(200):
        nested = [nested]
    strange: list[object] = ["a\0b", "\ud800", 1e300, {"a": None}, nested, 2**70]
    body = json.dumps({"profiles": [*(contact(chat=each) for each in strange), contact(chat="c")]})
    headers = {"Content-Type": "application/json"}
    accepted = await client.put(f"/v1/Stores/{store_id}/Profiles/Bulk", content=body, headers=headers)
    operation = await finished(client, accepted)
    found = (await client.get(operation["resultUrl"])).json()["results"]
    assert [each["status"] for each in found] == ["failed"] * len(strange) + ["created"]


async def test_a_result_that_an_earlier_version_stored_keeps_its_code_and_gets_its_status(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    operation = await finished(client, await put(client, store_id, [contact(phone=5)]))
    async with database.transaction() as connection:
        await connection.execute(update(operation_item).values(error_code=520063))
    (result,) = (await client.get(operation["resultUrl"])).json()["results"]
    assert (result["error"]["code"], result["error"]["status"]) == (520063, 400)
    page = await client.get(result["error"]["more_info"])
    assert "HTTP status 400 Bad Request" in page.text


async def test_a_thousand_profiles_keep_their_order_and_limits(client: httpx.AsyncClient, store_id: str) -> None:
    await change_settings(client, store_id, email={"limit": 2})
    found = await results(client, store_id, [contact(chat="c", email=f"{number}@x.org") for number in range(1000)])
    assert [each["status"] for each in found] == ["created", *["updated"] * 999]
    profile_id = found[0]["profileId"]
    kept = await client.get(f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers/email")
    assert kept.json()["values"] == ["998@x.org", "999@x.org"]


async def test_results_are_listed_in_pages(client: httpx.AsyncClient, store_id: str) -> None:
    operation = await finished(client, await put(client, store_id, [contact(chat=f"c-{n}") for n in range(12)]))
    url: str = operation["resultUrl"]
    first = (await client.get(url, params={"pageSize": 5})).json()
    second = (await client.get(url, params={"pageSize": 5, "pageToken": first["meta"]["nextToken"]})).json()
    third = (await client.get(url, params={"pageSize": 5, "pageToken": second["meta"]["nextToken"]})).json()
    pages = [[each["index"] for each in page["results"]] for page in (first, second, third)]
    assert pages == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]
    assert "nextToken" not in third["meta"]
    back = (await client.get(url, params={"pageSize": 5, "pageToken": third["meta"]["previousToken"]})).json()
    assert back["results"] == second["results"]
    last_first = (await client.get(url, params={"orderBy": "DESC"})).json()["results"]
    assert [each["index"] for each in last_first] == list(range(11, -1, -1))


async def test_results_need_full_access_to_the_same_account(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    operation = await finished(client, await put(client, store_id, [contact(chat="c")]))
    key = (new_key_sid(), new_secret())
    async with database.transaction() as connection:
        account_id = await connection.scalar(select(operation_item.c.account_id))
        assert account_id is not None
        await add_key(
            connection, account_id, Credentials(key[0], digest(key[1])), name="", grant=Grant(frozenset({"lookup"}))
        )
    for auth, expected in ((await make_account(database), (404, 520052)), (key, (403, 403))):
        answer = await client.get(operation["resultUrl"], auth=auth)
        assert (answer.status_code, answer.json()["code"]) == expected
    malformed = await client.get("/v1/ControlPlane/Operations/x/Results")
    assert (malformed.status_code, malformed.json()["code"]) == (400, 520051)


async def test_an_operation_without_items_has_no_results(client: httpx.AsyncClient) -> None:
    accepted = await client.post("/v1/ControlPlane/Stores", json={"displayName": "another"})
    operation = await finished(client, accepted)
    assert "resultUrl" not in operation
    answer = await client.get(f"{accepted.headers['Location']}/Results")
    assert answer.json() == {"results": [], "meta": {"key": "results", "pageSize": 0}}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"profiles": []},
        {"profiles": [{}] * 1001},
        {"profiles": "all"},
        {"profiles": [{}], "more": 1},
        {"profiles": ["somebody"]},
        {"profiles": [{"traits": {}, "id": "x"}]},
        {"profiles": [{"traits": {"Contact": "x"}}]},
    ],
)
async def test_a_malformed_batch_is_refused_as_a_whole(
    client: httpx.AsyncClient, store_id: str, database: Database, body: object
) -> None:
    answer = await client.put(f"/v1/Stores/{store_id}/Profiles/Bulk", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)
    assert (await contents(database))["operation_item"] == []


async def test_a_batch_may_be_larger_than_other_requests(client: httpx.AsyncClient, store_id: str) -> None:
    street = "s" * 1000
    found = await results(
        client, store_id, [contact(chat=f"c-{number}", street=street, city=street) for number in range(1000)]
    )
    assert {each["status"] for each in found} == {"created"}
    too_large = await client.put(f"/v1/Stores/{store_id}/Profiles/Bulk", content=b" " * ((16 << 20) + 1))
    assert (too_large.status_code, too_large.json()["code"]) == (413, 20413)


async def test_a_placeholder_in_a_profile_identifies_nobody_and_the_rest_counts(
    client: httpx.AsyncClient, store_id: str
) -> None:
    sent = [
        contact(email="n/a", phone="+13175556789"),
        contact(email="N/A", phone="+13175556780", chat="undefined"),
        contact(email="none"),
    ]
    first, second, third = await results(client, store_id, sent)
    assert (first["status"], second["status"], third["status"]) == ("created", "created", "failed")
    assert await look_up(client, store_id, "phone", "+13175556789") == [first["profileId"]]
    traits = (await client.get(f"/v1/Stores/{store_id}/Profiles/{second['profileId']}")).json()["traits"]["Contact"]
    assert (traits["email"], traits["chat"]) == ("N/A", "undefined")


async def test_a_placeholder_evicts_nothing_at_a_limit_of_one(client: httpx.AsyncClient, store_id: str) -> None:
    await change_settings(client, store_id, email={"limit": 1})
    known = await make_profile(client, store_id, chat="c", email="a@example.com")
    await results(client, store_id, [contact(chat="c", email="n/a")])
    assert await look_up(client, store_id, "email", "a@example.com") == [known]
