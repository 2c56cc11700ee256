"""Whatever decides about identity in a store leaves an event when it changes, with who asked for it."""

from typing import Any

import httpx

from profile_lookup.database.pool import Database
from tests.access.callers import make_key
from tests.conftest import change_settings, finished, make_profile
from tests.history.feeds import all_events
from tests.history.splits import joins_of, merged, split


async def _actors(client: httpx.AsyncClient, store_id: str) -> list[Any]:
    """Return who asked for each change of the store itself, from the feed."""
    changes = [event async for event in all_events(client, store_id) if event["kind"] == "storeSettingsChanged"]
    assert all(event.keys() == {"id", "kind", "at", "actor"} for event in changes)
    return [event["actor"] for event in changes]


async def test_each_request_that_changes_a_store_leaves_an_event_of_its_key(
    client: httpx.AsyncClient, store_id: str
) -> None:
    key = await make_key(client, "manage")
    path = f"/v1/ControlPlane/Stores/{store_id}"
    await make_profile(client, store_id, chat="Ann-1@x")
    settings = (await client.get(f"{path}/IdentityResolutionSettings")).json()
    renormalizing = settings | {
        "identifierConfigs": [
            each | {"normalization": "email" if each["idType"] == "chat" else each["normalization"]}
            for each in settings["identifierConfigs"]
        ]
    }
    del settings["version"], renormalizing["version"]
    group = {"displayName": "Billing", "traits": {"plan": {"dataType": "STRING"}}}
    requests: list[tuple[str, str, Any]] = [
        ("PUT", "/IdentityResolutionSettings", settings),
        ("PUT", "/IdentityResolutionSettings", renormalizing),
        ("PUT", "/BlockedValues", {"builtIn": False}),
        ("PATCH", "", {"description": "All of them"}),
        ("POST", "/TraitGroups", group),
        ("PATCH", "/TraitGroups/Billing", {"traits": {"tariff": {"dataType": "STRING"}}}),
        ("DELETE", "/TraitGroups/Billing", None),
    ]
    by = {"type": "key", "id": key["sid"]}
    for number, (method, below, body) in enumerate(requests, start=1):
        accepted = await client.request(method, f"{path}{below}", json=body, auth=(key["sid"], key["secret"]))
        assert (await finished(client, accepted))["status"] == "COMPLETED", accepted.text
        assert await _actors(client, store_id) == [by] * number


async def test_a_change_that_is_refused_leaves_no_event(client: httpx.AsyncClient, store_id: str) -> None:
    await make_profile(client, store_id, chat="nobody")
    assert (await change_settings(client, store_id, chat={"normalization": "phone"}))["status"] == "FAILED"
    path = f"/v1/ControlPlane/Stores/{store_id}"
    assert (await client.delete(f"{path}/TraitGroups/Contact")).status_code == 400
    assert (await client.patch(path, json={})).status_code == 400
    assert await _actors(client, store_id) == []


async def test_a_split_that_blocks_values_leaves_an_event_of_the_store(
    client: httpx.AsyncClient, store_id: str, database: Database, account: tuple[str, str]
) -> None:
    ann, _ = await merged(client, store_id)
    joins = await joins_of(database, ann)
    block = [{"idType": "email", "value": "ann@example.com"}]
    assert (await split(client, store_id, ann, joins, block=block, dryRun=True)).status_code == 200
    assert await _actors(client, store_id) == []
    assert (await split(client, store_id, ann, joins, block=block)).status_code == 202
    assert await _actors(client, store_id) == [{"type": "account", "id": account[0]}]
