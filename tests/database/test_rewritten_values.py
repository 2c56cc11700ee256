"""What belongs to a value stays with it when the value gets another form: its names, and that it is blocked."""

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.jobs.job_handlers import HANDLERS
from profile_lookup.operations.job_worker import run_until_idle
from profile_lookup.settings import Settings
from tests.conftest import look_up, make_profile
from tests.database.former_values import insert_former, make_unversioned, renormalize, result_of_renormalization

OLD, NEW = "+553196883193", "+5531996883193"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The application runs no worker; the tests do the work."""
    return settings.model_copy(update={"run_operations": False})


async def _names(database: Database, value: str) -> list[int]:
    async with database.statements() as connection:
        found = await connection.scalar(text("select names from identifier where value = :value"), {"value": value})
    return list(found or ())


async def _put(client: httpx.AsyncClient, database: Database, path: str, **changes: object) -> None:
    """Change a document of the control plane, and do the operation that this takes."""
    document = (await client.get(path)).json() | changes
    answer = await client.put(path, json=document)
    assert answer.status_code == 202, answer.text
    await run_until_idle(database, HANDLERS)


async def _change_chat(client: httpx.AsyncClient, store_id: str, database: Database, **changes: object) -> None:
    path = f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"
    configs = (await client.get(path)).json()["identifierConfigs"]
    changed = [each | changes if each["idType"] == "chat" else each for each in configs]
    await _put(client, database, path, identifierConfigs=changed)


@pytest.mark.parametrize("one_holder", [True, False])
async def test_two_forms_of_a_value_that_become_one_unite_their_names(
    client: httpx.AsyncClient, store_id: str, database: Database, *, one_holder: bool
) -> None:
    async with database.transaction() as connection:
        holder = await insert_former(connection, store_id, "phone", OLD, names=[1, 2])
        await insert_former(connection, store_id, "phone", NEW, holder=holder if one_holder else None, names=[2, 3])
        await make_unversioned(connection)
    await renormalize(database)
    assert await look_up(client, store_id, "phone", NEW) == [holder]
    assert await _names(database, NEW) == [1, 2, 3]


async def test_a_single_value_keeps_its_names(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    async with database.transaction() as connection:
        await insert_former(connection, store_id, "phone", OLD, names=[1, 2])
        await make_unversioned(connection)
    await renormalize(database)
    assert await _names(database, NEW) == [1, 2]


async def test_a_write_that_rewrites_a_former_value_keeps_its_names(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    async with database.transaction() as connection:
        holder = await insert_former(connection, store_id, "phone", OLD, names=[1, 2])
        await make_unversioned(connection)
    assert await make_profile(client, store_id, phone=NEW, city="Contagem") == holder
    assert await _names(database, NEW) == [1, 2]


async def test_holders_without_counted_names_count_with_their_own(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    people = [
        await make_profile(client, store_id, chat=chat, firstName=name)
        for chat, name in (("ADA@x", "Ann"), ("ada@x", "Bob"))
    ]
    assert (await _names(database, "ADA@x"), await _names(database, "ada@x")) == ([], [])
    await _change_chat(client, store_id, database, normalization="email")
    assert await look_up(client, store_id, "chat", "ada@x") == people[:1]
    assert len(await _names(database, "ada@x")) == len(people)


@pytest.mark.parametrize("one_holder", [True, False])
async def test_a_change_of_the_settings_unites_names(
    client: httpx.AsyncClient, store_id: str, database: Database, *, one_holder: bool
) -> None:
    phones = {"ADA@x": "+13175550001", "Ada@x": "+13175550001" if one_holder else "+13175550002"}
    for chat, names in (("ADA@x", ("Ann", "Bob", "Cy")), ("Ada@x", ("Ann", "Dee"))):
        for name in names:
            await make_profile(client, store_id, chat=chat, phone=phones[chat], firstName=name)
    before = await _names(database, "ADA@x") + await _names(database, "Ada@x")
    await _change_chat(client, store_id, database, normalization="email")
    assert sorted(await _names(database, "ada@x")) == sorted(set(before))
    assert len(set(before)) == len(("Ann", "Bob", "Cy", "Dee"))


async def test_a_value_that_is_shared_keeps_its_names_and_a_merge_in_the_same_step_loses_nobody(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    """Its holder is merged away by another value in the same step."""
    await _change_chat(client, store_id, database, enforceUnique=False)
    async with database.transaction() as connection:
        holder = await insert_former(connection, store_id, "phone", OLD)
        other = await insert_former(connection, store_id, "phone", NEW)
        await insert_former(
            connection, store_id, "chat", "\u200bdan", holder=other, names=[1, 2], is_unique=False
        )  # fmt: skip
        await make_unversioned(connection)
    await renormalize(database)
    assert await look_up(client, store_id, "chat", "dan") == [holder]
    assert await _names(database, "dan") == [1, 2]
    assert await result_of_renormalization(client, database) == {"changed": 2, "merged": 1, "kept": 0}


async def test_a_value_that_is_blocked_in_its_new_form_is_removed(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    blocked = {"builtIn": False, "values": [{"idType": "phone", "value": NEW}]}
    await _put(client, database, f"/v1/ControlPlane/Stores/{store_id}/BlockedValues", **blocked)
    async with database.transaction() as connection:
        await insert_former(connection, store_id, "phone", OLD)
        await make_unversioned(connection)
    await renormalize(database)
    async with database.statements() as connection:
        assert await connection.scalar(text("select count(*) from identifier")) == 0


async def test_a_value_that_was_blocked_in_its_earlier_form_is_blocked_in_its_new_form(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    path = f"/v1/ControlPlane/Stores/{store_id}/BlockedValues"
    await _put(client, database, path, builtIn=False, values=[{"idType": "phone", "value": NEW}])
    async with database.transaction() as connection:
        await insert_former(connection, store_id, "phone", OLD)
        former = "update store set blocked_values = replace(blocked_values::text, :new, :old)::jsonb"
        await connection.execute(text(former), {"new": NEW, "old": OLD})
        await make_unversioned(connection)
    await renormalize(database)
    assert (await client.get(path)).json()["values"] == [{"idType": "phone", "value": NEW}]
    async with database.statements() as connection:
        assert await connection.scalar(text("select count(*) from identifier")) == 0
