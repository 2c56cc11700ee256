"""The events of a profile over HTTP."""

from typing import Any

import httpx
import pytest

from profile_lookup.web import ids
from tests.conftest import change_settings, look_up, make_profile
from tests.history.people import make_ann_and_bob_one
from tests.imports.conftest import imported

Json = dict[str, Any]


async def events_of(
    client: httpx.AsyncClient, store_id: str, profile_id: str, query: str = "?orderBy=ASC"
) -> list[Json]:
    answer = await client.get(f"/v1/Stores/{store_id}/Profiles/{profile_id}/Events{query}")
    assert answer.status_code == 200, answer.text
    events: list[Json] = answer.json()["events"]
    return events


async def test_the_only_event_of_a_new_profile_is_its_creation(
    client: httpx.AsyncClient, store_id: str, account: tuple[str, str]
) -> None:
    ann = await make_profile(client, store_id, email="Ann@Example.com", firstName="Ann")
    (event,) = await events_of(client, store_id, ann)
    assert event.pop("at") == (await client.get(f"/v1/Stores/{store_id}/Profiles/{ann}")).json()["createdAt"]
    assert event == {
        "id": ann.replace("profile", "event"),
        "kind": "created",
        "profileId": ann,
        "actor": {"type": "account", "id": account[0]},
        "added": [{"idType": "email", "value": "ann@example.com"}],
        "traits": [
            {"traitGroup": "Contact", "name": "email", "value": "Ann@Example.com"},
            {"traitGroup": "Contact", "name": "firstName", "value": "Ann"},
        ],
    }


async def test_an_update_says_what_it_matched_and_what_it_changed(client: httpx.AsyncClient, store_id: str) -> None:
    ann = await make_profile(client, store_id, email="ann@example.com", firstName="Anna")
    await make_profile(client, store_id, email="ann@example.com", phone="+13175550001", firstName="Ann")
    _, event = await events_of(client, store_id, ann)
    assert event["kind"] == "updated"
    assert event["matched"] == [{"profileId": ann, "idType": "email", "value": "ann@example.com", "strength": "strong"}]
    assert event["added"] == [{"idType": "phone", "value": "+13175550001"}]
    assert {"traitGroup": "Contact", "name": "firstName", "value": "Ann", "previous": "Anna"} in event["traits"]
    assert "email" not in {trait["name"] for trait in event["traits"]}


async def test_a_merged_profile_has_the_events_of_both(client: httpx.AsyncClient, store_id: str) -> None:
    ann, bob = await make_ann_and_bob_one(client, store_id)
    ann_created, bob_created, merge = await events_of(client, store_id, ann)
    assert [ann_created["profileId"], bob_created["profileId"], merge["profileId"]] == [ann, bob, ann]
    assert (merge["kind"], merge["rule"], merge["absorbed"]) == ("merged", "email", [bob])
    assert {each["profileId"] for each in merge["matched"]} == {ann, bob}
    moved = await client.get(f"/v1/Stores/{store_id}/Profiles/{bob}/Events?pageSize=1")
    assert moved.status_code == 301
    assert moved.headers["Location"].endswith(f"/Profiles/{ann}/Events?pageSize=1")


async def test_the_newest_event_comes_first_and_pages_go_on(client: httpx.AsyncClient, store_id: str) -> None:
    ann, _ = await make_ann_and_bob_one(client, store_id)
    path = f"/v1/Stores/{store_id}/Profiles/{ann}/Events"
    first = (await client.get(path, params={"pageSize": 2})).json()
    second = (await client.get(path, params={"pageSize": 2, "pageToken": first["meta"]["nextToken"]})).json()
    assert [each["kind"] for each in first["events"]] == ["merged", "created"]
    assert [each["profileId"] for each in second["events"]] == [ann]
    assert second["meta"].keys() == {"key", "pageSize", "previousToken"}


async def test_what_happens_to_identifiers_has_events(client: httpx.AsyncClient, store_id: str) -> None:
    ann = await make_profile(client, store_id, email="ann@example.com", chat="c-1")
    path = f"/v1/Stores/{store_id}/Profiles/{ann}/Identifiers"
    await client.post(path, json={"idType": "phone", "value": "+13175550001"})
    update = {"idType": "phone", "oldValue": "+13175550001", "newValue": "+13175550002"}
    await client.patch(f"{path}/phone", json=update)
    await client.delete(f"{path}/chat")
    events = (await events_of(client, store_id, ann))[1:]
    assert [each["kind"] for each in events] == ["identifierAdded", "identifierReplaced", "identifierRemoved"]
    added, replaced, removed = events
    assert added["added"] == [{"idType": "phone"}]  # its value was replaced since
    assert (replaced["added"], replaced["removed"]) == (
        [{"idType": "phone", "value": "+13175550002"}], [{"idType": "phone"}],
    )  # fmt: skip
    assert removed["removed"] == [{"idType": "chat"}]


async def test_what_a_limit_evicted_is_named(client: httpx.AsyncClient, store_id: str) -> None:
    await change_settings(client, store_id, phone={"limit": 1})
    ann = await make_profile(client, store_id, email="ann@example.com", phone="+13175550001")
    await make_profile(client, store_id, email="ann@example.com", phone="+13175550002")
    _, event = await events_of(client, store_id, ann)
    assert event["evicted"] == [{"idType": "phone", "value": "+13175550001"}]


async def test_a_row_of_an_import_names_the_import_and_its_line(client: httpx.AsyncClient, store_id: str) -> None:
    await imported(client, store_id, "E-mail,Phone,First\nann@example.com,,Ann\nann@example.com,,Anna\n")
    (ann,) = await look_up(client, store_id, "email", "ann@example.com")
    actors = [event["actor"] for event in await events_of(client, store_id, ann)]
    (import_id,) = {actor["id"] for actor in actors}
    assert ids.is_well_formed(ids.IMPORT_ID_PATTERN, import_id)
    assert [(actor["type"], actor["line"]) for actor in actors] == [("import", 2), ("import", 3)]


async def test_an_event_that_changes_nothing_is_not_shown(client: httpx.AsyncClient, store_id: str) -> None:
    ann = await make_profile(client, store_id, email="ann@example.com", firstName="Ann")
    await make_profile(client, store_id, email="ann@example.com", firstName="Ann")
    assert [each["kind"] for each in await events_of(client, store_id, ann)] == ["created"]


async def test_the_event_of_a_removed_trait_has_its_name_and_no_value(client: httpx.AsyncClient, store_id: str) -> None:
    ann = await make_profile(client, store_id, email="ann@example.com", firstName="Ann")
    path = f"/v1/Stores/{store_id}/Profiles/{ann}"
    await client.patch(path, json={"traits": {"Contact": {"firstName": None}}})
    created, changed = await events_of(client, store_id, ann)
    assert "Ann" not in {trait.get("value") for trait in created["traits"]}
    assert changed["traits"] == [{"traitGroup": "Contact", "name": "firstName"}]


@pytest.mark.parametrize(
    ("query", "known"), [("?pagesize=1", "pageSize, pageToken, orderBy"), ("?after=x", "pageSize, pageToken, orderBy")]
)
async def test_unknown_query_parameters_are_refused_and_the_known_ones_named(
    client: httpx.AsyncClient, store_id: str, query: str, known: str
) -> None:
    ann = await make_profile(client, store_id, email="ann@example.com")
    refused = await client.get(f"/v1/Stores/{store_id}/Profiles/{ann}/Events{query}")
    assert (refused.status_code, refused.json()["message"]) == (400, f"query: expected only {known}")


async def test_a_profile_that_does_not_exist_has_no_events(client: httpx.AsyncClient, store_id: str) -> None:
    ann = await make_profile(client, store_id, email="ann@example.com")
    await client.delete(f"/v1/Stores/{store_id}/Profiles/{ann}")
    for resource in ("Events", "Explanation"):
        assert (await client.get(f"/v1/Stores/{store_id}/Profiles/{ann}/{resource}")).status_code == 404
