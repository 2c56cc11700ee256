"""A newer version normalizes a store's values anew while an older one still writes: no value is lost."""

import asyncio
import logging
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.errors import Unavailable
from profile_lookup.identity.values.normalization_version import CURRENT, UNVERSIONED, NormalizationVersion
from profile_lookup.jobs.job_handlers import HANDLERS
from profile_lookup.jobs.normalization_drift import queue_renormalizations
from profile_lookup.operations.job_worker import run_until_idle
from profile_lookup.settings import Settings
from profile_lookup.web import ids
from tests.conftest import change_settings, look_up, make_profile
from tests.database.former_values import insert_former, renormalize, set_versions

NEWER = replace(CURRENT, rules=CURRENT.rules + 1)
OLD, NEW = "+22997123456", "+2290197123456"
"""A number of Benin, as an older version stores it and as this one does."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The application runs no worker; the tests do the work."""
    return settings.model_copy(update={"run_operations": False})


async def _versions(database: Database) -> tuple[NormalizationVersion, NormalizationVersion | None]:
    """Return by which version the store's values are made, and which one normalizes them anew."""
    async with database.statements() as connection:
        row = (await connection.execute(text("select normalization, renormalized_by from store"))).one()
    by = row.renormalized_by
    return NormalizationVersion.from_document(row.normalization), by and NormalizationVersion.from_document(by)


@pytest.mark.parametrize("is_done", [False, True])
async def test_an_older_process_takes_the_store_back_before_it_writes(
    client: httpx.AsyncClient, store_id: str, database: Database, *, is_done: bool
) -> None:
    """This process is the older one here. It has cached the rules, and a newer one begins or completes its work."""
    first = await make_profile(client, store_id, phone=NEW)
    async with database.transaction() as connection:
        await set_versions(connection, NEWER if is_done else CURRENT, NEWER)
    assert await look_up(client, store_id, "phone", OLD) == [first]
    assert await _versions(database) == (NEWER if is_done else CURRENT, NEWER)  # a lookup writes nothing
    assert await make_profile(client, store_id, phone=OLD) == first
    assert await _versions(database) == (CURRENT, None)
    await make_profile(client, store_id, phone="+13175556789")
    assert await _versions(database) == (CURRENT, None)


RELEASE_0_1 = text("""
    select * from lock_and_gather(:store_id, :revision, :store_key, :keys, :id_types, :values, :known)
""")


async def test_a_process_of_release_0_1_may_not_write_any_more(database: Database) -> None:
    """It knows traits as rows of a table that is gone, and answers 503."""
    parameters = {
        "store_id": uuid4(), "revision": 1, "store_key": 1, "keys": [1], "id_types": ["phone"], "values": [NEW],
        "known": None,
    }  # fmt: skip
    with pytest.raises(Unavailable):
        async with database.transaction() as connection:
            await connection.execute(RELEASE_0_1, parameters)


async def test_an_older_worker_takes_the_store_back_before_it_changes_settings(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    for number, chat in enumerate(["ADA@x", "ada@x"]):
        await make_profile(client, store_id, chat=chat, phone=f"+1317555000{number}")
    async with database.transaction() as connection:
        await set_versions(connection, NEWER, NEWER)
    changing = asyncio.create_task(change_settings(client, store_id, chat={"normalization": "email"}))
    while not changing.done():
        await run_until_idle(database, HANDLERS)
        await asyncio.sleep(0.05)
    assert (await changing)["status"] == "COMPLETED"
    assert await _versions(database) == (CURRENT, None)


async def test_what_an_older_process_writes_meanwhile_is_found_and_normalized_by_the_next_start(
    client: httpx.AsyncClient, store_id: str, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with database.transaction() as connection:
        waiting = await insert_former(connection, store_id, "phone", "+22998000000")
        await set_versions(connection, UNVERSIONED)
    await queue_renormalizations(database)
    async with database.transaction() as held:
        locked = text("select from profile where store_id = :store_id for update")
        await held.execute(locked, {"store_id": ids.decoded(store_id)})
        normalizing = asyncio.create_task(run_until_idle(database, HANDLERS))
        while await _versions(database) != (UNVERSIONED, CURRENT):
            await asyncio.sleep(0.01)
        async with database.transaction() as older:  # it takes the store back, and writes behind the operation
            await set_versions(older, UNVERSIONED)
            late = await insert_former(older, store_id, "phone", OLD)
    with caplog.at_level(logging.WARNING):
        await normalizing
    assert "an older version wrote meanwhile" in caplog.messages
    assert await _versions(database) == (UNVERSIONED, None)
    assert await look_up(client, store_id, "phone", NEW) == [late]
    assert await look_up(client, store_id, "phone", "+22998000000") == [waiting]
    await renormalize(database)
    assert await _versions(database) == (CURRENT, CURRENT)
    assert await look_up(client, store_id, "phone", NEW) == [late]
