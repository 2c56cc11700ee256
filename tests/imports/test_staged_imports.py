"""Imports whose file is stored first, and which begin when somebody says how the file is read."""

import io
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from profile_lookup.database.pool import Database
from profile_lookup.errors import AlreadyUploaded, TooManyOperations, UploadRefused
from profile_lookup.identity.profile import TraitName
from profile_lookup.imports import queries
from profile_lookup.imports.columns.column_mapping import MappedColumn
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.staged_imports import stage, staged_beginning, start
from profile_lookup.operations.quotas import Quotas
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids
from tests.conftest import look_up
from tests.database.archived_stores import rules_of
from tests.imports.conftest import ended

CONTENT = b"Mail;Name\nann@example.com;Ann\n"
HOUR = timedelta(hours=1)
MAPPING = [MappedColumn("Mail", TraitName("Contact", "email")), MappedColumn("Name", TraitName("Contact", "firstName"))]
QUOTAS = Quotas(queued_per_store=10, queued_per_account=10, waiting_per_store=1)


@pytest.fixture
async def store(database: Database, store_id: str) -> StoreRules:
    return await rules_of(database, store_id)


async def staged(database: Database, store: StoreRules, waiting_time: timedelta = HOUR) -> UUID:
    async with database.transaction() as connection:
        return await stage(
            connection, store, "people.csv", io.BytesIO(CONTENT), len(CONTENT), ImportOptions(), waiting_time, QUOTAS
        )


async def started(database: Database, store: StoreRules, import_id: UUID) -> None:
    async with database.transaction() as connection:
        await start(connection, store, import_id, MAPPING, ImportOptions(), ";")


async def beginning(database: Database, store: StoreRules, import_id: UUID) -> bytes | None:
    async with database.statements() as connection:
        row = await queries.fetch(connection, store.id, import_id)
        return await staged_beginning(connection, row, 4)


async def outcome(client: httpx.AsyncClient, store_id: str, import_id: UUID) -> dict[str, Any]:
    return await ended(client, store_id, {"importId": ids.import_id(import_id)})


async def test_a_stored_file_is_imported_once_when_it_is_started(
    client: httpx.AsyncClient, database: Database, store: StoreRules, store_id: str
) -> None:
    import_id = await staged(database, store)
    assert await beginning(database, store, import_id) == b"Mail"
    assert await look_up(client, store_id, "email", "ann@example.com") == []
    await started(database, store, import_id)
    with pytest.raises(AlreadyUploaded):
        await started(database, store, import_id)
    answer = await outcome(client, store_id, import_id)
    assert (answer["status"], answer["progress"]["created"]) == ("COMPLETED", 1)
    assert [each["columnName"] for each in answer["columnMappings"]] == ["Mail", "Name"]
    assert len(await look_up(client, store_id, "email", "ann@example.com")) == 1
    assert await beginning(database, store, import_id) is None


async def test_an_import_that_nobody_starts_in_time_fails_and_its_file_is_deleted(
    client: httpx.AsyncClient, database: Database, store: StoreRules, store_id: str
) -> None:
    import_id = await staged(database, store, timedelta())
    with pytest.raises(UploadRefused):
        await started(database, store, import_id)
    assert (await outcome(client, store_id, import_id))["status"] == "FAILED"
    assert await beginning(database, store, import_id) is None


async def test_a_store_has_a_quota_of_files_that_nobody_has_started(database: Database, store: StoreRules) -> None:
    await staged(database, store)
    with pytest.raises(TooManyOperations):
        await staged(database, store)
