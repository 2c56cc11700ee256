"""Values that an earlier version stored identify nobody if today's form of them is blocked."""

import json

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings
from tests.conftest import look_up, make_profile
from tests.database.former_values import insert_former, make_unversioned, renormalize

BLOCKED = "test@test.com"  # by the built-in list
FORMER = ("te\u200bst@test.com", "test@te\u00adst.com")
"""What earlier versions stored for it."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The application runs no worker; the tests do the work."""
    return settings.model_copy(update={"run_operations": False})


async def test_a_blocked_value_that_is_stored_is_found_by_nobody(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    async with database.transaction() as connection:
        await insert_former(connection, store_id, "email", BLOCKED)
        await insert_former(connection, store_id, "chat", "n/a")
        await make_unversioned(connection)
    assert await look_up(client, store_id, "email", BLOCKED) == []
    assert await look_up(client, store_id, "chat", "N/A") == []


async def test_a_placeholder_that_an_earlier_version_stored_is_removed(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    async with database.transaction() as connection:
        holder = await insert_former(connection, store_id, "chat", "n/a")
        await insert_former(connection, store_id, "phone", "+13175556789", holder=holder)
        await make_unversioned(connection)
    await renormalize(database)
    answer = await client.get(f"/v1/Stores/{store_id}/Profiles/{holder}/Identifiers")
    assert answer.json()["identifiers"] == [{"idType": "phone", "values": ["+13175556789"]}]


async def test_values_that_become_equal_and_blocked_merge_nobody_and_are_removed(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    async with database.transaction() as connection:
        people = [
            await insert_former(connection, store_id, "phone", f"+1317555000{number}") for number in range(len(FORMER))
        ]
        for holder, email in zip(people, FORMER, strict=True):
            await insert_former(connection, store_id, "email", email, holder=holder)
        await make_unversioned(connection)
    await renormalize(database)
    assert [await look_up(client, store_id, "phone", f"+1317555000{n}") for n in range(2)] == [[p] for p in people]
    async with database.statements() as connection:
        emails = await connection.execute(text("select value from identifier where id_type = 'email'"))
        assert list(emails.scalars()) == []


async def test_what_a_store_blocks_and_allows_is_blocked_and_allowed_in_todays_form(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    """Benin's numbers had eight digits when the owner of the store blocked one."""
    document = {"built_in": True, "values": [["phone", "+22997123456"]], "allowed": [["email", FORMER[0]]]}
    async with database.transaction() as connection:
        await connection.execute(
            text("update store set blocked_values = cast(:document as jsonb)"), {"document": json.dumps(document)}
        )
        await make_unversioned(connection)

    async def is_blocked_and_allowed() -> bool:
        strangers = [
            await make_profile(client, store_id, phone=phone, chat=f"{phone} {len(phone)}")
            for phone in ("+22997123456", "+2290197123456")
        ]
        tester = await make_profile(client, store_id, email=BLOCKED)
        found = await look_up(client, store_id, "email", BLOCKED)
        return len(set(strangers)) == 2 and found == [tester]

    assert await is_blocked_and_allowed()
    await renormalize(database)
    answer = await client.get(f"/v1/ControlPlane/Stores/{store_id}/BlockedValues")
    assert answer.json()["values"] == [{"idType": "phone", "value": "+2290197123456"}]
    assert await is_blocked_and_allowed()
