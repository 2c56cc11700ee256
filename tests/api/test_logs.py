"""Logs are JSON with one line per event, and never contain an identifier value, even after an error."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.logs import configure_logging
from profile_lookup.settings import Settings
from profile_lookup.web.dependencies import services_of
from tests.conftest import PATIENCE, change_settings, finished, make_profile, make_store

SECRETS = ("3175551234", "secret@example.com", "Secretname")

Events = list[dict[str, Any]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"log_requests": True})


@pytest.fixture
def logged() -> Iterator[Callable[[], Events]]:
    """A function that returns all events logged since the test began, at every level, except the test client's."""
    root, test_client = logging.getLogger(), logging.getLogger("httpx")
    before = (root.handlers[:], root.level, test_client.level)
    configure_logging("DEBUG")
    test_client.setLevel("CRITICAL")
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    handler.setStream(written)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers[:], root.level, test_client.level = before


async def test_a_crash_is_logged_with_its_request_id_and_without_the_text_of_the_exception(
    app: FastAPI, client: httpx.AsyncClient, logged: Callable[[], Events]
) -> None:
    @app.get("/defect")
    async def defect() -> None:
        try:
            int(SECRETS[1])
        except ValueError as error:
            raise RuntimeError(SECRETS[0]) from error

    answer = await client.get("/defect")
    assert (answer.status_code, answer.json()["code"]) == (500, 20500)
    events = logged()
    (crash,) = [event for event in events if event["event"] == "request crashed"]
    assert crash["request_id"] == answer.headers["X-Request-Id"]
    assert crash["level"] == "ERROR"
    assert "ValueError" in crash["exc_info"]
    assert "RuntimeError" in crash["exc_info"]
    assert "test_logs.py" in crash["exc_info"]
    assert not _secrets_in(str(events) + answer.text)


async def test_a_value_in_an_address_is_not_logged(
    client: httpx.AsyncClient, store_id: str, logged: Callable[[], Events]
) -> None:
    profile_id = await make_profile(client, store_id, email=SECRETS[1])
    path = f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers/email"
    for status in (202, 404):
        assert (await client.delete(path, params={"value": SECRETS[1]})).status_code == status
    assert (await client.delete(path, params={"idValue": SECRETS[1]})).status_code == 400
    removals = [event for event in logged() if event.get("method") == "DELETE"]
    assert [event["path"] for event in removals] == [
        "/v1/Stores/{storeId}/Profiles/{profileId}/Identifiers/{idType}"
    ] * 3
    assert not _secrets_in(str(logged()))


@pytest.mark.changes_schema
@pytest.mark.usefixtures("own_database_url")  # it changes the schema
async def test_a_constraint_violation_does_not_reveal_the_row(
    client: httpx.AsyncClient, database: Database, logged: Callable[[], Events]
) -> None:
    store_id = await make_store(client)
    async with database.transaction() as connection:
        await connection.execute(
            text("alter table identifier add constraint no_such_value check (value !~ '3175551234')")
        )
    answer = await client.post(
        f"/v1/Stores/{store_id}/Profiles", json={"traits": {"Contact": {"phone": "+13175551234"}}}
    )
    assert answer.status_code == 500
    events = logged()
    assert "CheckViolation" in str(events)
    assert not _secrets_in(str(events) + answer.text)


async def test_an_unavailable_database_is_logged_with_the_request_id(
    app: FastAPI, client: httpx.AsyncClient, logged: Callable[[], Events]
) -> None:
    absent = Database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=1)
    app.state.services = replace(services_of({"app": app}), database=absent)
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    (event,) = [event for event in logged() if event["event"] == "unavailable"]
    assert (event["level"], event["request_id"]) == ("WARNING", answer.headers["X-Request-Id"])
    assert "ConnectionRefusedError" in event["exc_info"]


async def test_each_request_is_logged_in_one_line_without_values(
    client: httpx.AsyncClient, logged: Callable[[], Events]
) -> None:
    store_id = await make_store(client)
    await make_profile(client, store_id, phone="+13175551234", email="secret@example.com", lastName="Secretname")
    answers = [
        await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json=body)
        for body in (
            {"idType": "phone", "value": "+13175551234"},
            {"idType": "phone", "value": "3175551234 x1"},
            {"idType": "3175551234", "value": "secret@example.com"},
            {"secret@example.com": "3175551234"},
            ["secret@example.com"],
        )
    ]
    answers.append(await client.get("/secret@example.com"))
    events = logged()
    requests = [event for event in events if event["event"] == "request"]
    assert [event["status"] for event in requests[-6:]] == [answer.status_code for answer in answers]
    assert [event["request_id"] for event in requests[-6:]] == [answer.headers["X-Request-Id"] for answer in answers]
    assert [event["path"] for event in requests[-7:-5]] == [
        "/v1/Stores/{storeId}/Profiles", "/v1/Stores/{storeId}/Profiles/Lookup"
    ]  # fmt: skip
    assert not _secrets_in(str(events))
    assert not _secrets_in("".join(answer.text for answer in answers[1:]))


async def test_evictions_are_logged_with_type_and_count_and_without_values(
    client: httpx.AsyncClient, logged: Callable[[], Events]
) -> None:
    store_id = await make_store(client)
    await change_settings(client, store_id, phone={"limit": 1})
    path = f"/v1/Stores/{store_id}/Profiles"
    profile_id = await make_profile(client, store_id, chat="c", phone="+13175551234")
    await client.patch(f"{path}/{profile_id}", json={"traits": {"Contact": {"phone": "+13175551235"}}})
    await asyncio.gather(*[make_profile(client, store_id, chat="c", phone=f"+1317555124{n}") for n in range(3)])
    changed = [{"traits": {"Contact": {"chat": "c", "phone": f"+1317555123{number}"}}} for number in (6, 7)]
    await finished(client, await client.put(f"{path}/Bulk", json={"profiles": changed}))
    evictions = [event for event in logged() if event["event"] == "limits evicted identifiers"]
    assert {(event["level"], event["store"], *event["evicted"]) for event in evictions} == {("INFO", store_id, "phone")}
    counts = [event["evicted"]["phone"] for event in evictions]
    assert (counts[0], sum(counts[1:-1]), counts[-1]) == (1, 3, 2)
    assert not _secrets_in(str(logged()))


async def test_evictions_by_a_change_of_settings_are_logged(
    client: httpx.AsyncClient, logged: Callable[[], Events]
) -> None:
    store_id = await make_store(client)
    await change_settings(client, store_id, chat={"normalization": "none"}, phone={"limit": 1})
    for chat, phone in (("c", "+13175551234"), (" c", "+13175551235")):
        await make_profile(client, store_id, chat=chat, phone=phone)
    await change_settings(client, store_id, chat={"normalization": "trim"})
    # The operation has ended when it is committed, which is before the evictions are logged.
    async with asyncio.timeout(PATIENCE):
        while not (evictions := [event for event in logged() if event["event"] == "limits evicted identifiers"]):
            await asyncio.sleep(0.01)
    (eviction,) = evictions
    assert (eviction["store"], eviction["evicted"]) == (store_id, {"phone": 1})
    assert not _secrets_in(str(logged()))


def _secrets_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]
