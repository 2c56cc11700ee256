"""A change of the settings is applied to all stored data or to none."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.app import create_app
from profile_lookup.database.pool import Database
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event_document import actor_document
from profile_lookup.settings import Settings
from tests.conftest import BASE_URL, change_settings, finished, look_up, make_profile
from tests.contract.conforming import ConformingTransport
from tests.database.contents import contents, stored_events
from tests.database.stores import lock_rules_of
from tests.running_service import app_with_worker


@pytest.fixture
def url(store_id: str) -> str:
    return f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"


async def _changed(client: httpx.AsyncClient, url: str, **changes: object) -> dict[str, Any]:
    """Return the settings of the store with changes to `chat`."""
    settings: dict[str, Any] = (await client.get(url)).json()
    chat = next(config for config in settings["identifierConfigs"] if config["idType"] == "chat")
    chat |= changes
    return settings


async def _stored(database: Database, table: str) -> list[str]:
    return [row for row in (await contents(database))[table] if "operation" not in row]


async def _identifiers(database: Database) -> list[tuple[Any, ...]]:
    async with database.statements() as connection:
        query = "select id_type, value, shared_by = '', fuzzy_key is not null from identifier order by 1, 2"
        return [tuple(row) for row in await connection.execute(text(query))]


async def _settings_events(database: Database) -> list[tuple[Any, ...]]:
    async with database.statements() as connection:
        query = "select profile_id, document ->> 'o' from event where kind = 'storeSettingsChanged' order by number"
        return [tuple(row) for row in await connection.execute(text(query))]


async def test_each_change_that_is_in_force_is_an_event(
    client: httpx.AsyncClient, store_id: str, database: Database, account: tuple[str, str]
) -> None:
    await make_profile(client, store_id, chat="nobody")
    assert await _settings_events(database) == []
    assert (await change_settings(client, store_id, chat={"normalization": "phone"}))["status"] == "FAILED"
    assert await _settings_events(database) == []
    assert (await change_settings(client, store_id, chat={"normalization": "none"}))["status"] == "COMPLETED"
    by_account = json.dumps(actor_document(Actor("account", account[0])))
    assert await _settings_events(database) == [(None, by_account)]


async def test_stored_values_are_renormalized(client: httpx.AsyncClient, store_id: str) -> None:
    profile_id = await make_profile(client, store_id, chat="Ada L@x", phone="+13175551234")
    assert (await change_settings(client, store_id, chat={"normalization": "email"}))["status"] == "COMPLETED"
    sets = (await client.get(f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers")).json()
    assert sets["identifiers"] == [
        {"idType": "phone", "values": ["+13175551234"]}, {"idType": "chat", "values": ["adal@x"]},
    ]  # fmt: skip
    assert await look_up(client, store_id, "chat", "ADA L@x") == [profile_id]


async def test_values_of_a_profile_that_become_equal_become_one_with_the_earliest_time(
    client: httpx.AsyncClient, store_id: str
) -> None:
    for chat in ("ADA@x", "zoe@x", "Ada@x", "ada@x"):
        profile_id = await make_profile(client, store_id, phone="+13175551234", chat=chat)
    await change_settings(client, store_id, chat={"normalization": "email"})
    values = (await client.get(f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers/chat")).json()["values"]
    assert values == ["ada@x", "zoe@x"]  # in chronological order


async def test_profiles_whose_values_become_equal_merge_into_the_earliest(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    people = [
        await make_profile(client, store_id, chat=chat, email=f"{number}@example.com", city=f"city {number}")
        for number, chat in enumerate(["ADA@x", "zoe@x", "Ada@x", "ada@x"])
    ]
    await change_settings(client, store_id, chat={"normalization": "email"})
    assert await look_up(client, store_id, "chat", "aDa@x") == [people[0]]
    for number in (0, 2, 3):
        assert await look_up(client, store_id, "email", f"{number}@example.com") == [people[0]]
    assert await look_up(client, store_id, "chat", "zoe@x") == [people[1]]
    merged = await client.get(f"/v1/Stores/{store_id}/Profiles/{people[3]}")
    assert merged.headers["Canonical-Profile-Id"] == people[0]
    profile = (await client.get(f"/v1/Stores/{store_id}/Profiles/{people[0]}")).json()
    assert profile["traits"]["Contact"]["city"] == "city 3"
    (merge,) = await stored_events(database, "merged")
    assert merge.rule == "chat"
    absorbed = [("chat", "ada@x") in profile.identifiers for profile in merge.absorbed]
    assert absorbed == [True, True]


@pytest.mark.parametrize("is_unique", [True, False])
async def test_two_values_of_a_profile_become_one_while_its_type_becomes_unique_or_shared(
    client: httpx.AsyncClient, store_id: str, database: Database, *, is_unique: bool
) -> None:
    await change_settings(client, store_id, chat={"enforceUnique": not is_unique})
    for chat in ("ADA@x", "ada@x", "Ada@x"):
        profile_id = await make_profile(client, store_id, email="a@example.com", chat=chat)
    changes = {"normalization": "email", "enforceUnique": is_unique}
    assert (await change_settings(client, store_id, chat=changes))["status"] == "COMPLETED"
    assert await look_up(client, store_id, "chat", "ADA@x") == [profile_id]
    assert [row for row in await _identifiers(database) if row[0] == "chat"] == [("chat", "ada@x", is_unique, False)]


async def test_profiles_that_collide_in_a_chain_become_one(client: httpx.AsyncClient, store_id: str) -> None:
    people = []
    for number in range(6):  # each shares a value with the next if case is ignored
        people.append(await make_profile(client, store_id, chat=f"x{number}@x", email=f"{number}@example.com"))
        await make_profile(client, store_id, chat=f"X{number + 1}@x", email=f"{number}@example.com")
    assert (await change_settings(client, store_id, chat={"normalization": "email"}))["status"] == "COMPLETED"
    found = {tuple(await look_up(client, store_id, "chat", f"x{number}@x")) for number in range(7)}
    assert found == {(people[0],)}


async def test_types_that_change_together_merge_by_the_first_rule(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await make_profile(client, store_id, chat="A@x", whatsapp="W@x")
    await make_profile(client, store_id, chat="a@x", whatsapp="w@x")
    lower = {"normalization": "email"}
    operation = await change_settings(client, store_id, rules=["chat", "whatsapp"], chat=lower, whatsapp=lower)
    assert operation["status"] == "COMPLETED"
    assert [merge.rule for merge in await stored_events(database, "merged")] == ["chat"]


@pytest.mark.parametrize(
    ("chats", "message"),
    [
        (["+13175551234", "nobody"], "1 stored value of chat"),
        (["ada@x", "zoe@x", "3175551234"], "2 stored values of chat"),
    ],
)
async def test_a_change_that_would_refuse_a_stored_value_fails_and_changes_nothing(
    client: httpx.AsyncClient, store_id: str, database: Database, chats: list[str], message: str
) -> None:
    for chat in chats:
        await make_profile(client, store_id, chat=chat)
    before = {name: rows for name, rows in (await contents(database)).items() if name != "operation"}
    operation = await change_settings(client, store_id, chat={"normalization": "phone"})
    assert (operation["status"], operation["error"]["code"]) == ("FAILED", 520024)
    assert message in operation["error"]["detail"]
    assert operation.keys() == {"operationId", "status", "createdAt", "completedAt", "statusUrl", "error"}
    assert not any(chat in str(operation) for chat in chats)
    assert {name: rows for name, rows in (await contents(database)).items() if name != "operation"} == before


async def test_a_change_by_which_values_collide_outside_the_rules_fails_and_changes_nothing(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await change_settings(client, store_id, rules=["email"])
    for number, chat in enumerate(["ADA@x", "ada@x", "Zoe@x", "zoe@x", "Ada@x"]):
        await make_profile(client, store_id, chat=chat, email=f"{number}@example.com")
    before = await _stored(database, "identifier")
    operation = await change_settings(client, store_id, chat={"normalization": "email"})
    assert (operation["status"], operation["error"]["code"]) == ("FAILED", 520024)
    assert "2 values of chat" in operation["error"]["detail"]
    assert await _stored(database, "identifier") == before


async def test_values_that_are_not_unique_become_equal_without_a_merge(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await change_settings(client, store_id, chat={"enforceUnique": False})
    people = [
        await make_profile(client, store_id, chat=chat, email=f"{chat}.example")
        for chat in ("ADA@x", "ada-2@x", "Ada@x")
    ]
    await make_profile(client, store_id, chat="ADA-2@x", email="ADA@x.example")
    await change_settings(client, store_id, chat={"normalization": "email"})
    assert await look_up(client, store_id, "chat", "ada-2@x") == [people[0], people[1]]


async def test_values_that_become_equal_cannot_become_unique_in_the_same_change(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await change_settings(client, store_id, chat={"enforceUnique": False})
    for number, chat in enumerate(["ADA@x", "ada@x"]):
        await make_profile(client, store_id, chat=chat, email=f"{number}@example.com")
    operation = await change_settings(client, store_id, chat={"normalization": "email", "enforceUnique": True})
    assert (operation["status"], operation["error"]["code"]) == ("FAILED", 520024)
    assert "1 value of chat" in operation["error"]["detail"]


@pytest.mark.parametrize(
    ("changes", "marks"),
    [
        ({"enforceUnique": False}, (False, False)),
        ({"matchingAlgo": "fuzzy"}, (True, True)),
        ({"matchingAlgo": "fuzzy", "normalization": "email", "enforceUnique": False}, (False, True)),
    ],
)
async def test_the_flags_of_a_type_are_stored_with_its_identifiers_and_no_others(
    client: httpx.AsyncClient, store_id: str, database: Database, changes: dict[str, object], marks: tuple[bool, bool]
) -> None:
    for chat in ("ADA@x", "zoe@x"):
        await make_profile(client, store_id, chat=chat, email=f"{chat}.example")
    await change_settings(client, store_id, chat=changes)
    rows = await _identifiers(database)
    assert {row[2:] for row in rows if row[0] == "chat"} == {marks}
    assert {row[2:] for row in rows if row[0] == "email"} == {(True, False)}
    await change_settings(client, store_id, chat={"enforceUnique": True, "matchingAlgo": "exact"})
    assert {row[2:] for row in await _identifiers(database)} == {(True, False)}


async def test_a_new_limit_is_applied_to_merged_profiles(client: httpx.AsyncClient, store_id: str) -> None:
    first = await make_profile(client, store_id, chat="X@x", email="1@example.com")
    for chat, number in (("x@x", 2), ("X@x", 3), ("x@x", 4)):
        await make_profile(client, store_id, chat=chat, email=f"{number}@example.com")
    operation = await change_settings(client, store_id, chat={"normalization": "email"}, email={"limit": 2})
    assert operation["status"] == "COMPLETED"
    answer = await client.get(f"/v1/Stores/{store_id}/Profiles/{first}/Identifiers/email")
    assert answer.json()["values"] == ["3@example.com", "4@example.com"]


@pytest.fixture
async def without_worker(settings: Settings, account: tuple[str, str]) -> Any:
    """A client of a service that runs no worker."""
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=account) as client,
    ):
        yield client


async def _make_store(client: httpx.AsyncClient) -> str:
    accepted = await client.post("/v1/ControlPlane/Stores", json={"displayName": "waiting"})
    store_id: str = (await finished(client, accepted))["result"]["id"]
    return store_id


async def _work(settings: Settings, client: httpx.AsyncClient, *accepted: httpx.Response) -> list[dict[str, Any]]:
    app = app_with_worker(settings)
    async with app.router.lifespan_context(app):
        return [await finished(client, each) for each in accepted]


async def test_the_old_settings_are_in_force_until_the_operation_has_ended(
    without_worker: httpx.AsyncClient, settings: Settings
) -> None:
    client, store_id = without_worker, await _make_store(without_worker)
    url = f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"
    profile_id = await make_profile(client, store_id, chat="ADA@x")
    accepted = await client.put(url, json=await _changed(client, url, normalization="email"))
    assert (await client.get(accepted.headers["Location"])).json()["status"] == "PENDING"
    assert (await client.get(accepted.headers["Location"])).headers["Retry-After"].isdecimal()
    assert (await client.get(url)).json()["version"] == 1
    assert await look_up(client, store_id, "chat", "ada@x") == []
    late = await make_profile(client, store_id, chat="Zoe@x")
    assert [each["status"] for each in await _work(settings, client, accepted)] == ["COMPLETED"]
    assert await look_up(client, store_id, "chat", "ada@x") == [profile_id]
    assert await look_up(client, store_id, "chat", "ZOE@x") == [late]


async def test_a_change_waits_for_the_one_before_it(without_worker: httpx.AsyncClient, settings: Settings) -> None:
    client, store_id = without_worker, await _make_store(without_worker)
    url = f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"
    await make_profile(client, store_id, chat="ADA@x")
    changes: list[dict[str, object]] = [
        {"normalization": "email"}, {"limit": 7}, {"normalization": "none", "limit": 9},
    ]  # fmt: skip
    accepted = [await client.put(url, json=await _changed(client, url, **change)) for change in changes]
    assert (await client.get(url)).json()["version"] == 1
    assert [each["status"] for each in await _work(settings, client, *accepted)] == ["COMPLETED"] * 3
    after = (await client.get(url)).json()
    assert after["version"] == 4
    assert (after["identifierConfigs"][3]["normalization"], after["identifierConfigs"][3]["limit"]) == ("none", 9)


async def test_a_change_that_waited_is_validated_against_the_result_of_the_previous_one(
    without_worker: httpx.AsyncClient, settings: Settings
) -> None:
    client, store_id = without_worker, await _make_store(without_worker)
    url = f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"
    await make_profile(client, store_id, chat="ADA@x")
    etag = (await client.get(url)).headers["ETag"]
    first = await client.put(url, json=await _changed(client, url, normalization="email"))
    without_chat = await _changed(client, url)
    without_chat["identifierConfigs"] = without_chat["identifierConfigs"][:3]
    without_chat["matchingRules"] = without_chat["matchingRules"][:3]
    others = [
        await client.put(url, json=without_chat),
        await client.put(url, json=await _changed(client, url, limit=7), headers={"If-Match": etag}),
        await client.put(url, json=await _changed(client, url, limit=8), headers={"If-Match": "*"}),
    ]
    operations = await _work(settings, client, first, *others)
    assert [each.get("error", {}).get("code") for each in operations] == [None, 520024, 520043, None]
    assert (await client.get(url)).json()["identifierConfigs"][3]["limit"] == 8


async def test_concurrent_writes_and_lookups_never_mix_old_rules_with_new_values(
    client: httpx.AsyncClient, store_id: str, url: str, database: Database
) -> None:
    """Every confirmed value is found in any spelling, and every stored value is normalized."""
    written: list[str] = []
    has_ended = asyncio.Event()

    async def write(writer: int) -> None:
        number = 0
        while not has_ended.is_set():
            value = f"Chat {writer}-{number}@x"
            await make_profile(client, store_id, chat=value)
            written.append(value)
            number += 1
            if number % 3 == 0:
                assert len(await look_up(client, store_id, "chat", value)) == 1

    writers = [asyncio.create_task(write(writer)) for writer in range(6)]
    statuses = []
    for normalization in ("email", "none", "email", "trim", "email"):
        accepted = await client.put(url, json=await _changed(client, url, normalization=normalization))
        statuses.append((await finished(client, accepted))["status"])
        await asyncio.sleep(0.1)
    has_ended.set()
    await asyncio.gather(*writers)
    assert statuses == ["COMPLETED"] * 5
    async with database.statements() as connection:
        values = list((await connection.execute(text("select value from identifier"))).scalars())
    assert sorted(values) == sorted({value.replace(" ", "").lower() for value in written})
    assert len(written) > 50


async def test_a_write_waits_for_a_change_up_to_its_deadline_while_lookups_go_on(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    profile_id = await make_profile(client, store_id, chat="ADA")
    body = {"traits": {"Contact": {"chat": "zoe"}}}
    async with database.transaction() as changing:
        await lock_rules_of(changing, store_id)
        waiting = asyncio.create_task(client.post(f"/v1/Stores/{store_id}/Profiles", json=body))
        while not waiting.done():
            assert await look_up(client, store_id, "chat", "ADA") == [profile_id]
            await asyncio.sleep(0.1)
    answer = waiting.result()
    assert (answer.status_code, answer.json()["code"]) == (503, 20503)
    assert answer.headers["Retry-After"].isdecimal()
    assert await look_up(client, store_id, "chat", "zoe") == []
