"""Why a profile is one person, over HTTP."""

from typing import Any

import httpx

from tests.conftest import change_settings, look_up, make_profile
from tests.history.people import make_ann_and_bob_one
from tests.imports.conftest import imported

Json = dict[str, Any]


async def explanation_of(client: httpx.AsyncClient, store_id: str, profile_id: str) -> Json:
    answer = await client.get(f"/v1/Stores/{store_id}/Profiles/{profile_id}/Explanation")
    assert answer.status_code == 200, answer.text
    explanation: Json = answer.json()
    return explanation


async def test_a_new_profile_has_nothing_that_joined_it(client: httpx.AsyncClient, store_id: str) -> None:
    ann = await make_profile(client, store_id, email="ann@example.com")
    explanation = await explanation_of(client, store_id, ann)
    (identifier,) = explanation.pop("identifiers")
    assert explanation == {"profileId": ann, "formerly": [], "joins": [], "bridges": []}
    assert identifier.keys() == {"idType", "value", "addedAt", "event"}
    assert identifier["event"] == ann.replace("profile", "event")


async def test_a_merge_is_explained_by_what_both_share_with_its_request(
    client: httpx.AsyncClient, store_id: str, account: tuple[str, str]
) -> None:
    ann, bob = await make_ann_and_bob_one(client, store_id)
    explanation = await explanation_of(client, store_id, ann)
    assert explanation["formerly"] == [bob]
    (join,) = explanation["joins"]
    assert (join["kind"], join["rule"], join["joined"]) == ("merged", "email", [bob])
    assert join["actor"] == {"type": "account", "id": account[0]}
    assert sorted((each["idType"], each["value"], each["strength"]) for each in join["by"]) == [
        ("email", "ann@example.com", "strong"), ("phone", "+13175550001", "strong"),
    ]  # fmt: skip
    assert explanation["bridges"] == [
        {"idType": "email", "value": "ann@example.com", "holdsTogether": 2},
        {"idType": "phone", "value": "+13175550001", "holdsTogether": 2},
    ]


async def test_an_address_that_many_share_is_the_bridge_that_holds_them_together(
    client: httpx.AsyncClient, store_id: str
) -> None:
    for number in range(12):
        office = await make_profile(client, store_id, email="office@acme.example", phone=f"+131755500{number:02}")
    explanation = await explanation_of(client, store_id, office)
    assert explanation["bridges"] == [{"idType": "email", "value": "office@acme.example", "holdsTogether": 12}]
    assert len(explanation["joins"]) == 11
    assert {join["kind"] for join in explanation["joins"]} == {"updated"}
    assert {tuple(join["joined"]) for join in explanation["joins"]} == {()}


async def test_a_weak_match_is_called_weak(client: httpx.AsyncClient, store_id: str) -> None:
    await change_settings(client, store_id, chat={"enforceUnique": False})
    ann = await make_profile(client, store_id, chat="c-1", firstName="Ann")
    await make_profile(client, store_id, chat="c-1", email="ann@example.com")
    (join,) = (await explanation_of(client, store_id, ann))["joins"]
    assert join["by"] == [{"idType": "chat", "value": "c-1", "strength": "weak"}]


async def test_a_removed_value_is_not_named(client: httpx.AsyncClient, store_id: str) -> None:
    ann, _ = await make_ann_and_bob_one(client, store_id)
    await client.delete(f"/v1/Stores/{store_id}/Profiles/{ann}/Identifiers/phone")
    answer = await client.get(f"/v1/Stores/{store_id}/Profiles/{ann}/Explanation")
    assert "+13175550001" not in answer.text
    (join,) = answer.json()["joins"]
    assert {"idType": "phone", "strength": "strong"} in join["by"]


async def test_the_id_of_a_merged_profile_redirects(client: httpx.AsyncClient, store_id: str) -> None:
    ann, bob = await make_ann_and_bob_one(client, store_id)
    moved = await client.get(f"/v1/Stores/{store_id}/Profiles/{bob}/Explanation")
    assert (moved.status_code, moved.headers["Canonical-Profile-Id"]) == (301, ann)


async def test_the_address_of_an_imported_office_holds_all_its_people_together(
    client: httpx.AsyncClient, store_id: str
) -> None:
    rows = "".join(f"office@acme.example,+13175550{number:03},{number}\n" for number in range(150))
    await imported(client, store_id, f"E-mail,Phone,First\n{rows}")
    (office,) = await look_up(client, store_id, "email", "office@acme.example")
    explanation = await explanation_of(client, store_id, office)
    assert explanation["bridges"] == [{"idType": "email", "value": "office@acme.example", "holdsTogether": 150}]
    assert [join["actor"]["line"] for join in explanation["joins"]] == [*range(3, 152)]
