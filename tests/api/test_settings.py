"""Which identity resolution settings are valid. test_settings_changes.py tests what a change does to stored data."""

from typing import Any

import httpx
import pytest

from profile_lookup.database.pool import Database
from tests.conftest import change_settings, finished, look_up, make_profile
from tests.database.contents import contents

DEFAULTS = {
    "matchingAlgo": "exact", "matchingThreshold": 75, "limit": 100, "limitPolicy": "fifo", "enforceUnique": True,
    "normalization": "trim",
}  # fmt: skip


WRONG_CONFIGS: list[dict[str, Any]] = [
    *({"matchingThreshold": value} for value in (49, 100, 75.5, "75", True)),
    *({"limit": value} for value in (0, 101)),
    *({"enforceUnique": value} for value in ("true", 1)),
    {"matchingAlgo": "EXACT"},
    {"limitPolicy": "newest"},
    {"normalization": "lower"},
    {"unknown": 1},
]


@pytest.fixture
def url(store_id: str) -> str:
    return f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"


def _document(*configs: dict[str, Any], rules: list[str] | None = None) -> dict[str, Any]:
    return {
        "identifierConfigs": list(configs),
        "matchingRules": [config["idType"] for config in configs] if rules is None else rules,
    }


def _numbered(count: int) -> list[dict[str, Any]]:
    return [{"idType": f"type-{number}"} for number in range(count)]


async def test_a_new_store_has_the_five_reserved_types(client: httpx.AsyncClient, url: str) -> None:
    normalizations = {"email": "email", "whatsapp": "trim", "phone": "phone", "chat": "trim", "pushUserID": "trim"}
    answer = await client.get(url)
    assert answer.json() == {
        "identifierConfigs": [
            {"idType": id_type, **DEFAULTS, "normalization": each} for id_type, each in normalizations.items()
        ],
        "matchingRules": list(normalizations),
        "version": 1,
    }
    assert answer.headers["ETag"]


async def test_the_whole_document_is_replaced_and_missing_fields_get_their_defaults(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    accepted = await client.put(url, json=_document({"idType": "crm"}, {"idType": "phone", "limit": 3}, rules=["crm"]))
    assert accepted.json()["message"] == "Identity Resolution Settings accepted for processing."
    operation = await finished(client, accepted)
    assert (operation["status"], operation["result"]["id"]) == ("COMPLETED", store_id)
    assert (await client.get(url)).json() == {
        "identifierConfigs": [{"idType": "crm", **DEFAULTS}, {"idType": "phone", **DEFAULTS, "limit": 3}],
        "matchingRules": ["crm"],
        "version": 2,
    }


async def test_fetched_settings_can_be_sent_back(client: httpx.AsyncClient, url: str) -> None:
    before = (await client.get(url)).json()
    assert (await finished(client, await client.put(url, json=before)))["status"] == "COMPLETED"
    assert (await client.get(url)).json() == before | {"version": 2}


async def test_a_change_without_stored_data_is_in_force_at_once(client: httpx.AsyncClient, url: str) -> None:
    accepted = await client.put(url, json=_document({"idType": "phone", "normalization": "trim"}))
    assert (await client.get(accepted.headers["Location"])).json()["status"] == "COMPLETED"


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "identifierConfigs: expected each idType once": _document({"idType": "crm"}, {"idType": "crm"}, rules=["crm"]),
    "matchingRules: expected idTypes that identifierConfigs configures": _document({"idType": "crm"}, rules=["Crm"]),
    "matchingRules: expected each idType once": _document({"idType": "crm"}, rules=["crm", "crm"]),
    "idType: expected 2-30 letters, digits, hyphens or underscores": _document({"idType": "c r m"}),
    "matchingAlgo: fuzzy does not go with normalization phone": _document(
        {"idType": "crm", "matchingAlgo": "fuzzy", "normalization": "phone"}
    ),
}


@pytest.mark.parametrize("message", CONTRADICTIONS)
async def test_contradictory_settings_are_refused(client: httpx.AsyncClient, url: str, message: str) -> None:
    answer = await client.put(url, json=CONTRADICTIONS[message])
    assert (answer.status_code, answer.json()["code"]) == (400, 520024)
    assert answer.json()["message"].startswith(message)
    assert (await client.get(url)).json()["version"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        _document(),
        _document({"idType": "crm"}, rules=[]),
        _document(*_numbered(16)),
        _document({"idType": "crm"}, rules=[f"type-{number}" for number in range(16)]),
        _document({"idType": "x"}, rules=["x"]),
        _document({"idType": "x" * 31}),
        *[_document({"idType": "crm", **config}) for config in WRONG_CONFIGS],
    ],
)
async def test_a_document_that_breaks_the_contract_is_refused(
    client: httpx.AsyncClient, url: str, body: object
) -> None:
    answer = await client.put(url, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 520024)


async def test_a_body_that_is_no_json_is_no_document_at_all(client: httpx.AsyncClient, url: str) -> None:
    for body in (b"", b"{"):
        answer = await client.put(url, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_fifteen_types_and_rules_are_accepted(client: httpx.AsyncClient, url: str) -> None:
    assert (await client.put(url, json=_document(*_numbered(15)))).status_code == 202


async def test_a_type_with_stored_identifiers_cannot_be_removed(
    client: httpx.AsyncClient, url: str, store_id: str, database: Database
) -> None:
    await make_profile(client, store_id, chat="c-1", whatsapp="w-1")
    before = await contents(database)
    answer = await client.put(url, json=_document({"idType": "phone"}, {"idType": "whatsapp"}))
    assert (answer.status_code, answer.json()["code"]) == (400, 520024)
    assert "identifiers of chat are stored" in answer.json()["message"]
    assert await contents(database) == before


async def test_an_unused_type_can_be_removed_and_its_trait_is_no_longer_promoted(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    profile_id = await make_profile(client, store_id, chat="c-1", phone="+13175551234")
    profile_url = f"/v1/Stores/{store_id}/Profiles/{profile_id}"
    await client.delete(f"{profile_url}/Identifiers/chat")
    accepted = await client.put(url, json=_document({"idType": "phone", "normalization": "phone"}))
    assert (await finished(client, accepted))["status"] == "COMPLETED"
    assert await make_profile(client, store_id, chat="another", phone="+13175551234") == profile_id
    assert (await client.get(profile_url)).json()["traits"]["Contact"]["chat"] == "another"
    answer = await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json={"idType": "chat", "value": "c-1"})
    assert answer.json()["code"] == 520046


@pytest.mark.parametrize(("count", "message"), [(1, "1 value of chat"), (3, "3 values of chat")])
async def test_a_type_with_shared_values_cannot_become_unique(
    client: httpx.AsyncClient, url: str, store_id: str, count: int, message: str
) -> None:
    await change_settings(client, store_id, rules=["email"], chat={"enforceUnique": False})
    for number in range(count):
        for person in ("a", "b"):
            await make_profile(client, store_id, chat=f"shared-{number}", email=f"{person}{number}@example.com")
    settings = (await client.get(url)).json()
    settings["identifierConfigs"][3]["enforceUnique"] = True
    answer = await client.put(url, json=settings)
    assert (answer.status_code, answer.json()["code"]) == (400, 520024)
    assert message in answer.json()["message"]
    assert "shared-" not in answer.text


async def test_a_type_without_shared_values_can_become_unique_and_back(
    client: httpx.AsyncClient, store_id: str
) -> None:
    for chat in ("a", "b"):
        await make_profile(client, store_id, chat=chat, email=f"{chat}@example.com")
    outside = ["email"]
    body = {"traits": {"Contact": {"chat": "a", "email": "b@example.com"}}}
    for is_unique, status in ((False, 202), (True, 409)):
        operation = await change_settings(client, store_id, rules=outside, chat={"enforceUnique": is_unique})
        assert operation["status"] == "COMPLETED"
        answer = await client.post(f"/v1/Stores/{store_id}/Profiles", json=body)
        assert answer.status_code == status
        if status == 202:
            assert len(await look_up(client, store_id, "chat", "a")) == 2
            await client.delete(
                f"/v1/Stores/{store_id}/Profiles/{answer.json()['id']}/Identifiers/chat", params={"removeAll": "true"}
            )


async def test_a_lower_limit_applies_from_the_next_write(client: httpx.AsyncClient, store_id: str) -> None:
    for number in range(5):
        profile_id = await make_profile(client, store_id, chat="c-1", email=f"{number}@example.com")
    emails_url = f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers/email"
    await change_settings(client, store_id, email={"limit": 2})
    assert len((await client.get(emails_url)).json()["values"]) == 5
    await make_profile(client, store_id, chat="c-1", city="Gary")
    assert (await client.get(emails_url)).json()["values"] == ["3@example.com", "4@example.com"]


async def test_a_new_rule_merges_nothing_until_the_next_write(client: httpx.AsyncClient, store_id: str) -> None:
    await change_settings(client, store_id, rules=["email"], chat={"enforceUnique": False})
    people = [await make_profile(client, store_id, chat="c-1", email=f"{number}@example.com") for number in range(2)]
    await change_settings(client, store_id, rules=["email", "chat"])
    assert await look_up(client, store_id, "chat", "c-1") == people
