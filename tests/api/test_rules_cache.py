"""Rules are read when they changed: one entry per store, bounded by definitions, the least recently used leave first."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.database.pool import Database
from profile_lookup.identity.blocked_values import BlockedPattern, BlockedValues
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.trait_definitions import CONTACT, TraitGroup
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.stores.rules_cache import RULES, RulesCache, StoreRules
from tests.conftest import make_profile
from tests.database.stores import make_admissions

GROUP = {"displayName": "Billing", "traits": {"plan": {"dataType": "STRING"}}}


def _store(number: int, revision: int = 1, groups: Mapping[str, TraitGroup] | None = None) -> StoreRules:
    return StoreRules(UUID(int=0), UUID(int=number), DEFAULT_SETTINGS, 1, groups or {}, revision, datetime.now(UTC))


def test_a_newer_revision_replaces_an_older_one_and_never_the_other_way() -> None:
    cache = RulesCache()
    cache.put(_store(1, revision=2))
    cache.put(_store(1, revision=1))
    assert _revision_in(cache) == 2
    cache.put(_store(1, revision=3))
    assert _revision_in(cache) == 3


def _revision_in(cache: RulesCache) -> int | None:
    found = cache.get(UUID(int=1))
    return None if found is None else found.revision


def test_the_least_recently_used_entries_leave_first() -> None:
    cache = RulesCache(max_definitions=3)
    for number in (1, 2, 3):
        cache.put(_store(number))
    cache.get(UUID(int=1))
    cache.put(_store(4))
    assert [number for number in range(1, 5) if cache.get(UUID(int=number))] == [1, 3, 4]


def test_a_large_entry_makes_room_for_itself_and_may_be_the_only_one() -> None:
    cache = RulesCache(max_definitions=5)
    for number in (1, 2):
        cache.put(_store(number))
    cache.put(_store(3, groups={CONTACT.name: CONTACT}))  # of more traits than the cache holds
    assert [number for number in range(1, 4) if cache.get(UUID(int=number))] == [3]
    cache.put(_store(4))
    assert [number for number in range(1, 5) if cache.get(UUID(int=number))] == [4]


def test_blocked_values_count_as_definitions() -> None:
    values = tuple(NormalizedIdentifier("chat", NormalizedValue(f"{number}")) for number in range(5))
    store = replace(_store(1), blocked_values=BlockedValues(values=values, patterns=(BlockedPattern("chat", "x"),)))
    assert store.definitions == 1 + 6


async def test_the_documents_are_sent_only_to_whom_they_are_new(
    client: httpx.AsyncClient, store_id: str, account: tuple[str, str], database: Database
) -> None:
    admissions = make_admissions(database)
    caller = Credentials(account[0], digest(account[1]))
    first = await admissions.admit(caller, store_id, "write")
    assert await admissions.admit(caller, store_id, "write") is first
    await client.post(f"/v1/ControlPlane/Stores/{store_id}/TraitGroups", json=GROUP)
    changed = await admissions.admit(caller, store_id, "write")
    assert (changed.revision, set(changed.trait_groups)) == (first.revision + 1, {"Contact", "Billing"})
    assert await admissions.admit(caller, store_id, "write") is changed


async def test_rules_that_were_replaced_meanwhile_are_not_mixed(
    client: httpx.AsyncClient, store_id: str, account: tuple[str, str], database: Database
) -> None:
    """The revision that is sent belongs to the entry that is used, also if the cache has another one by then."""
    admissions = make_admissions(database)
    caller = Credentials(account[0], digest(account[1]))
    store = await admissions.admit(caller, store_id, "write")
    RULES.discard(store.id)
    again = await admissions.admit(caller, store_id, "write")
    assert again == store
    assert again is not store


async def test_a_caller_who_lost_the_right_is_not_known_any_more(
    client: httpx.AsyncClient, store_id: str, account: tuple[str, str], database: Database
) -> None:
    await make_profile(client, store_id, chat="c-1")
    path = f"/v1/Stores/{store_id}/Profiles"
    lookup = {"idType": "chat", "value": "c-1"}
    assert (await client.post(f"{path}/Lookup", json=lookup)).status_code == 200
    async with database.transaction() as connection:
        await connection.execute(text("update credential set secret_sha256 = '' where sid = :sid"), {"sid": account[0]})
    for address, sent in ((path, {"traits": {"Contact": {"chat": "c-2"}}}), (f"{path}/Lookup", lookup), (path, {})):
        assert (await client.post(address, json=sent)).status_code == 401


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_a_change_is_seen_by_the_next_request(client: httpx.AsyncClient, store_id: str, method: str) -> None:
    groups = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    profile_id = await make_profile(client, store_id, chat="c-1")
    await client.post(groups, json=GROUP)
    sent = {"traits": {"Billing": {"plan": "free"}}}
    path = f"/v1/Stores/{store_id}/Profiles/{profile_id}"
    answer = await client.request(method, path, json=sent if method == "PATCH" else None)
    assert answer.status_code == (202 if method == "PATCH" else 200)
