"""Clients write overlapping data concurrently over TCP: no write is lost, and each person ends as one profile."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.web import ids
from tests.conftest import PATIENCE, change_settings, finished, look_up, make_profile, make_store
from tests.model.conftest import SECONDS

CLIENTS = 8
ID_TYPES = ("email", "chat", "whatsapp")  # unique, and matching rules
IN_CI = 4  # seconds
WINDOW = 60
"""Requests that share one small pool of values. It is small enough that no person reaches the limit of a type."""

Identifier = tuple[str, str]


@dataclass
class Accepted:
    """What the service accepted. Each entry of `together` lists the ID and the identifiers of one person."""

    together: list[list[str | Identifier]] = field(default_factory=list)
    of_window: dict[int, list[str]] = field(default_factory=dict)
    refused: int = 0

    def note(self, window: int, profile: str, identifiers: Iterable[Identifier]) -> None:
        self.together.append([profile, *identifiers])
        self.of_window.setdefault(window, []).append(profile)

    def people(self) -> list[tuple[list[str], set[Identifier]]]:
        """Return each person's IDs, the smallest first, and identifiers: the connected components of `together`."""
        group_of: dict[str | Identifier, set[str | Identifier]] = {}
        for together in self.together:
            joined = set[str | Identifier]().union(*(group_of.get(each, {each}) for each in together))
            group_of |= dict.fromkeys(joined, joined)
        groups = {id(group): group for group in group_of.values()}.values()
        return [
            (
                sorted(each for each in group if isinstance(each, str)),
                {each for each in group if not isinstance(each, str)},
            )
            for group in groups
        ]


@pytest.mark.usefixtures("own_database_url")  # it counts the deadlocks of the database
async def test_concurrent_clients_lose_no_write_and_leave_one_profile_per_person(
    service_url: str, account: tuple[str, str], database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    accepted = Accepted()
    async with httpx.AsyncClient(base_url=service_url, auth=account, timeout=PATIENCE, follow_redirects=True) as client:
        store_id = await make_store(client)
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for seed in range(CLIENTS):
                tasks.create_task(_write(client, store_id, accepted, random.Random(seed), ended))
            tasks.create_task(_repeat_until(ended, lambda: _change_rules(client, store_id)))
            tasks.create_task(_repeat_until(ended, lambda: _remove_another_store(client)))
            await asyncio.sleep(SECONDS or IN_CI)
            ended.set()

        people = accepted.people()
        print(  # noqa: T201 -- a summary for pytest -rP
            f"{len(accepted.together)} accepted, {accepted.refused} turned away, {len(people)} people, "
            f"{sum(len(profiles) - 1 for profiles, _ in people)} merged"
        )
        assert SECONDS or not accepted.refused
        for profiles, identifiers in people:
            await _assert_one_person(client, store_id, profiles, identifiers)
    assert await _count(database, "select count(*) from profile where store_id = :store", store_id) == len(people)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert await _count(database, "select count(*) from alias join alias as next on next.id = alias.profile_id") == 0
    assert await _count(
        database, "select count(*) from (select from identifier group by store_id, id_type, value having count(*) > 1)"
    ) == 0  # fmt: skip
    assert await _count(database, "select deadlocks from pg_stat_database where datname = current_database()") == 0


async def _write(
    client: httpx.AsyncClient, store_id: str, accepted: Accepted, chance: random.Random, ended: asyncio.Event
) -> None:
    path = f"/v1/Stores/{store_id}/Profiles"
    while not ended.is_set():
        window = len(accepted.together) // WINDOW
        identifiers = {
            id_type: f"{window}.{chance.randrange(24)}@x"
            for id_type in chance.sample(ID_TYPES, chance.choice((1, 1, 2, 2, 3)))
        }
        known = accepted.of_window.get(window, [])
        if known and chance.random() < 0.4:
            profile = chance.choice(known)
            (id_type, value), *_ = identifiers.items()
            body: Any = {"idType": id_type, "value": value}
            answer = await client.post(f"{path}/{profile}/Identifiers", json=body)
            written = {(id_type, value)}
        else:
            answer = await client.post(path, json={"traits": {"Contact": identifiers}})
            profile = answer.json().get("id", "")
            written = set(identifiers.items())
        if answer.status_code == 503:
            accepted.refused += 1
            continue
        assert answer.status_code == 202, answer.text
        accepted.note(window, profile, written)
        id_type, value = chance.choice(sorted(written))
        found = await client.post(f"{path}/Lookup", json={"idType": id_type, "value": value})
        if found.status_code == 503:
            accepted.refused += 1
        else:
            assert len(found.json()["profiles"]) == 1, (
                found.text
            )  # a client reads its own writes, and never sees half of a merge


async def _assert_one_person(
    client: httpx.AsyncClient, store_id: str, profiles: list[str], identifiers: set[Identifier]
) -> None:
    canonical = profiles[0]
    path = f"/v1/Stores/{store_id}/Profiles"
    for profile in profiles:
        answer = await client.get(f"{path}/{profile}", follow_redirects=False)
        assert answer.status_code == (200 if profile == canonical else 301)
        assert answer.headers["Canonical-Profile-Id"] == canonical
    sets = (await client.get(f"{path}/{canonical}/Identifiers")).json()["identifiers"]
    assert {(each["idType"], value) for each in sets for value in each["values"]} == identifiers
    for id_type, value in identifiers:
        assert await look_up(client, store_id, id_type, value) == [canonical]


async def _repeat_until(ended: asyncio.Event, action: Callable[[], Awaitable[None]]) -> None:
    while not ended.is_set():
        await action()
        await asyncio.sleep(0.3)


async def _change_rules(client: httpx.AsyncClient, store_id: str) -> None:
    """Change the settings without a visible effect on these values. The service still has to check or rewrite them."""
    for change in (
        {"email": {"normalization": "trim"}, "chat": {"limit": 99}},
        {"email": {"normalization": "email"}, "extra": {"enforceUnique": False}},
        {"chat": {"limit": 100}, "whatsapp": {"normalization": "none"}},
        {"whatsapp": {"normalization": "trim"}},
    ):
        assert (await change_settings(client, store_id, **change))["status"] == "COMPLETED"
        await asyncio.sleep(0.3)


async def _remove_another_store(client: httpx.AsyncClient) -> None:
    store_id = await make_store(client, "another")
    for number in range(30):
        await make_profile(client, store_id, chat=f"{number}", email=f"{number // 3}@x")
    removed = await finished(client, await client.delete(f"/v1/ControlPlane/Stores/{store_id}"))
    assert removed["status"] == "COMPLETED"


async def _count(database: Database, query: str, store_id: str | None = None) -> int:
    parameters = {} if store_id is None else {"store": ids.decoded(store_id)}
    async with database.statements() as connection:
        count: int = (await connection.execute(text(query), parameters)).scalar_one()
    return count
