"""The traits of a profile are fetched, listed and patched."""

import re
from typing import Any

import httpx
import pytest

from profile_lookup.database.pool import Database
from tests.conftest import finished, look_up, make_profile
from tests.database.contents import contents


@pytest.fixture
async def url(client: httpx.AsyncClient, store_id: str) -> str:
    """The URL of a profile with traits of two groups."""
    groups = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    group = {"displayName": "Billing", "traits": {"plan": {"dataType": "STRING"}, "tags": {"dataType": "ARRAY"}}}
    await finished(client, await client.post(groups, json=group))
    traits = {"Contact": {"chat": "c-1", "city": "Gary"}, "Billing": {"plan": "paid", "tags": ["a", 1, True]}}
    created = await client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": traits})
    return f"/v1/Stores/{store_id}/Profiles/{created.json()['id']}"


def _refusal(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["code"]


async def _patch(client: httpx.AsyncClient, url: str, **contact: object) -> httpx.Response:
    return await client.patch(url, json={"traits": {"Contact": contact}})


async def test_a_fetched_profile_has_the_fields_of_the_contract(client: httpx.AsyncClient, url: str) -> None:
    answer = await client.get(url)
    profile = answer.json()
    assert profile.keys() == {"id", "createdAt", "traits"}
    assert profile["id"] == url.rpartition("/")[2] == answer.headers["Canonical-Profile-Id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", profile["createdAt"])
    assert profile["traits"] == {
        "Contact": {"chat": "c-1", "city": "Gary"}, "Billing": {"plan": "paid", "tags": ["a", 1, True]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ("Contact", {"Contact"}),
        ("Billing,Contact", {"Billing", "Contact"}),
        (" Billing , Billing", {"Billing"}),
        ("Contact,Preferences", {"Contact"}),
        ("Contact,,Nothing\0, ", {"Contact"}),
        ("contact", set()),
        (",", set()),
    ],
)
async def test_groups_are_selected_by_name_and_unknown_and_empty_names_are_skipped(
    client: httpx.AsyncClient, url: str, names: str, groups: set[str]
) -> None:
    assert (await client.get(url, params={"traitGroups": names})).json()["traits"].keys() == groups
    listed = (await client.get(f"{url}/Traits", params={"traitGroups": names})).json()["traits"]
    assert {trait["traitGroup"] for trait in listed} == groups


@pytest.mark.parametrize("names", ["", "+13175551234," * 20])
async def test_names_of_groups_are_limited_as_the_contract_says(
    client: httpx.AsyncClient, url: str, names: str
) -> None:
    for answer in (
        await client.get(url, params={"traitGroups": names}),
        await client.get(f"{url}/Traits", params={"traitGroups": names}),
    ):
        assert _refusal(answer) == (400, 520046)
        assert "+1317" not in answer.text


async def test_traits_are_listed_newest_first_with_the_time_of_their_last_change(
    client: httpx.AsyncClient, url: str
) -> None:
    await _patch(client, url, city="Fishers")
    listed = (await client.get(f"{url}/Traits")).json()
    assert listed["meta"] == {"key": "traits", "pageSize": 4}
    assert listed["traits"][0] == {
        "name": "city", "value": "Fishers", "traitGroup": "Contact", "timestamp": listed["traits"][0]["timestamp"],
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", listed["traits"][0]["timestamp"])
    oldest_first = (await client.get(f"{url}/Traits", params={"orderBy": "ASC"})).json()["traits"]
    assert oldest_first == listed["traits"][::-1]


async def test_a_patch_keeps_traits_that_are_left_out_and_null_removes_one(client: httpx.AsyncClient, url: str) -> None:
    body: dict[str, Any] = {"traits": {"Contact": {"state": "IN", "city": None}, "Billing": {"plan": None}}}
    answer = await client.patch(url, json=body)
    assert (answer.status_code, answer.json()) == (202, {"message": "Trait modifications accepted for processing."})
    assert (await client.get(url)).json()["traits"] == {
        "Contact": {"chat": "c-1", "state": "IN"}, "Billing": {"tags": ["a", 1, True]},
    }  # fmt: skip


async def test_removing_a_promoted_trait_keeps_its_identifier(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    await _patch(client, url, chat=None)
    assert "chat" not in (await client.get(url)).json()["traits"]["Contact"]
    assert await look_up(client, store_id, "chat", "c-1") == [url.rpartition("/")[2]]


async def test_a_promoted_trait_adds_an_identifier_and_replaces_none(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    await _patch(client, url, chat="c-2")
    for value in ("c-1", "c-2"):
        assert await look_up(client, store_id, "chat", value) == [url.rpartition("/")[2]]
    assert (await client.get(url)).json()["traits"]["Contact"]["chat"] == "c-2"


async def test_a_promoted_trait_of_another_profile_merges_and_the_patch_wins(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    later = await make_profile(client, store_id, email="a@example.com", city="Fishers", state="IN")
    await _patch(client, url, email="a@example.com", state=None)
    assert (await client.get(url)).json()["traits"]["Contact"] == {
        "chat": "c-1", "city": "Fishers", "email": "a@example.com",
    }  # fmt: skip
    assert (await client.get(url.replace(url.rpartition("/")[2], later))).status_code == 301


@pytest.mark.parametrize("body", [{}, {"traits": {}}, {"traits": None}, {"traits": {"Contact": {}}}])
async def test_an_empty_patch_changes_nothing(
    client: httpx.AsyncClient, url: str, database: Database, body: dict[str, Any]
) -> None:
    before = await contents(database)
    assert (await client.patch(url, json=body)).status_code == 202
    assert await contents(database) == before


@pytest.mark.parametrize(
    ("traits", "code"),
    [
        ({"Contact": {"shoeSize": "s3cr3t"}}, 520005),
        ({"Contact": {"shoeSize": None}}, 520005),
        ({"Nothing": {}}, 520005),
        ({"Contact": {"city": 1}}, 520005),
        ({"Contact": {"city": ["s3cr3t"]}}, 520005),
        ({"Contact": {"phone": "s3cr3t"}}, 520005),
        ({"Contact": "s3cr3t"}, 520046),
        ({"Billing": {"tags": [None]}}, 520005),
    ],
)
async def test_a_refused_patch_changes_nothing(
    client: httpx.AsyncClient, url: str, database: Database, traits: dict[str, Any], code: int
) -> None:
    before = await contents(database)
    answer = await client.patch(url, json={"traits": {"Contact": {"state": "IN"}} | traits})
    assert _refusal(answer) == (400, code)
    assert "s3cr3t" not in answer.text
    assert await contents(database) == before


async def test_a_conflict_leaves_the_traits_unchanged(client: httpx.AsyncClient, url: str, store_id: str) -> None:
    settings_url = f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"
    settings = (await client.get(settings_url)).json()
    await finished(client, await client.put(settings_url, json=settings | {"matchingRules": ["chat"]}))
    await make_profile(client, store_id, chat="c-2", email="a@example.com")
    assert _refusal(await _patch(client, url, email="a@example.com", city="Fishers")) == (409, 20409)
    assert (await client.get(url)).json()["traits"]["Contact"]["city"] == "Gary"
