"""An import with `dryRun` counts and reports what the import would do, and changes and locks nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.identity.change import Change
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.imports.dry_runs.dry_run import dry_run_rows
from profile_lookup.imports.dry_runs.overlay import Overlay
from profile_lookup.imports.import_job import import_handler
from profile_lookup.imports.refused_rows import as_csv
from profile_lookup.imports.row_reader import ROWS_PER_STEP
from profile_lookup.ingest.attempts import Attempt, resolve_together
from profile_lookup.ingest.ingest import ingest
from profile_lookup.operations.job_worker import run_until_idle
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.settings import Settings
from profile_lookup.web import ids
from tests.conftest import PATIENCE, change_settings, make_profile, make_store
from tests.database.contents import contents
from tests.database.stores import lock_profiles_of, lock_rules_of
from tests.database.stores import make_store as make_store_without_http
from tests.identity.building import adding, at
from tests.imports.conftest import create, ended, ignored_cells, imported, mappings, path_of, upload
from tests.imports.random_rows import COLUMNS, make_known_store, random_rows

DRY_RUN: dict[str, Any] = {"dryRun": True}
BOOKKEEPING = {"operation", "operation_turn", "profile_import", "import_refusals", "operation_piece"}
PEOPLE = "E-mail,Phone,First\na@example.com,317-555-6789,Ann\nA@example.com,no number,Ann\nnobody,,Bob\n"


async def _data(database: Database) -> dict[str, list[str]]:
    """Return all rows but those that say that an import was asked for."""
    return {name: sorted(rows) for name, rows in (await contents(database)).items() if name not in BOOKKEEPING}


@pytest.mark.parametrize("seed", range(3))
async def test_a_dry_run_counts_and_reports_what_the_import_then_does(
    client: httpx.AsyncClient, database: Database, seed: int
) -> None:
    store_id = await make_known_store(client, "customers")
    await client.put(
        f"/v1/ControlPlane/Stores/{store_id}/BlockedValues", json={"builtIn": True, "maxProfilesPerValue": 2}
    )
    rows = list(random_rows(1200, seed))
    content = as_csv([[*COLUMNS, "chats"], *((*cells, json.dumps(chats) if chats else "") for *cells, chats in rows)])
    columns = [*mappings(**COLUMNS), {"columnName": "chats", "traitGroup": "More", "traitName": "chats"}]
    before = await _data(database)
    tried, tried_refused = await imported(client, store_id, content, columns, DRY_RUN)
    assert await _data(database) == before
    done, done_refused = await imported(client, store_id, content, columns)
    assert tried["dryRun"] is True
    assert "dryRun" not in done
    assert (tried["status"], tried["progress"], tried.get("notices")) == (
        "COMPLETED",
        done["progress"],
        done.get("notices"),
    )
    assert all(tried["progress"].values()), tried["progress"]
    assert tried_refused == done_refused
    assert await ignored_cells(client, tried) == await ignored_cells(client, done)


async def test_a_dry_run_has_the_notices_of_the_import(client: httpx.AsyncClient, store_id: str) -> None:
    content = (Path(__file__).parent / "files" / "shared-office.csv").read_bytes()
    columns = mappings(**{"Email": "email", "Phone": "phone", "First Name": "firstName", "Last Name": "lastName"})
    tried, _ = await imported(client, store_id, content, columns, DRY_RUN)
    assert tried["notices"] == [
        {"kind": "sharedValue", "idType": "email", "rows": 150, "firstLines": [2, 3, 4]},
        {"kind": "evicted", "idType": "phone", "rows": 50, "firstLines": [102, 103, 104]},
    ]


async def test_a_column_whose_cells_do_not_fit_is_noticed(client: httpx.AsyncClient, store_id: str) -> None:
    rows = [f"{number}@example.com,+1317555000{number},{number}" for number in range(1, 9)]
    columns = mappings(Name="firstName", Number="phone", Mail="email")
    tried, _ = await imported(client, store_id, "\n".join(["Name,Number,Mail", *rows]), columns, DRY_RUN)
    assert tried["notices"] == [
        {"kind": "unlikelyColumn", "columnName": "Name", "idType": "email", "rows": 8, "firstLines": [2, 3, 4]},
        {"kind": "unlikelyColumn", "columnName": "Mail", "idType": "email", "rows": 8, "firstLines": [2, 3, 4]},
    ]


async def test_a_dry_run_waits_for_nobody(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    profile_id = await make_profile(client, store_id, email="a@example.com")
    async with database.transaction() as connection:
        await lock_profiles_of(connection, store_id)
        await lock_rules_of(connection, store_id)
        # As a write does that is not committed yet.
        await connection.execute(
            text("""
                insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
                select store_id, 'phone', '+13175556789', profile_id, '', added_at from identifier
                where store_id = :store_id
            """),
            {"store_id": ids.decoded(store_id)},
        )
        created = await create_dry_run(client, store_id, PEOPLE)
        tried = await ended(client, store_id, created)
    assert (tried["status"], tried["progress"]["updated"], profile_id[:4]) == ("COMPLETED", 2, "mem_")


async def create_dry_run(client: httpx.AsyncClient, store_id: str, content: str) -> dict[str, Any]:
    file = content.encode()
    created = await create(client, store_id, len(file), options=DRY_RUN)
    assert (await upload(client, created["url"], file)).status_code == 200
    return created


async def test_nobody_waits_for_a_dry_run(database: Database) -> None:
    store = await make_store_without_http(database, DEFAULT_SETTINGS)

    async def write(change: Change) -> None:
        async with asyncio.timeout(PATIENCE):
            await ingest(database, store, lambda _: change, at(2))

    await write(adding("email:a"))
    await write(adding("chat:b"))
    async with database.session() as connection:
        overlay = Overlay(connection, store)
        async with connection.begin():
            await overlay.create()
        async with connection.begin():
            attempts = [Attempt(adding("email:a", "chat:b", "chat:c"), at(3))]
            resolved = await resolve_together(store, attempts, overlay.gather)
            await overlay.add(resolved)
            await write(adding("email:a", "chat:b", "chat:c"))  # the dry run's transaction is still open


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """Let the application run no worker in tests that do the work themselves."""
    return settings.model_copy(update={"run_operations": "worked_on" not in request.fixturenames})


Work = Callable[[], Awaitable[None]]


@pytest.fixture
def worked_on(own_database_url: str, database: Database, tmp_path: Path) -> Work:
    """A function that does dry runs until none is left, on a database where no worker does them."""
    handler = import_handler(tmp_path, None, apply=dry_run_rows)

    async def work() -> None:
        await run_until_idle(database, {OperationKind.DRY_RUN_IMPORT: handler})

    return work


def _office_rows(steps: int) -> tuple[str, int]:
    """Return a file whose rows have one address and different numbers, and how many rows it has."""
    rows = [
        f"office@acme.example,+1317{number:07},Ann" for number in range(2000000, 2000000 + steps * ROWS_PER_STEP // 2)
    ]
    return "\n".join(["E-mail,Phone,First", *rows]), len(rows)


@asynccontextmanager
async def _stopped_halfway(client: httpx.AsyncClient, path: str, database: Database) -> AsyncIterator[None]:
    """Let a dry run wait where it saves a step, after its first one."""
    async with asyncio.timeout(PATIENCE):
        while not (await client.get(path)).json()["progress"]["rowsDone"]:
            await asyncio.sleep(0.005)
    async with database.transaction() as connection:
        await connection.execute(text("select from profile_import for update"))
        yield


async def test_a_dry_run_that_is_interrupted_begins_anew(
    client: httpx.AsyncClient, database: Database, worked_on: Work
) -> None:
    store_id = await make_store(client)
    content, count = _office_rows(8)
    created = await create_dry_run(client, store_id, f"{content}\nnobody,,")
    path = path_of(store_id, created)
    first = asyncio.ensure_future(worked_on())
    async with _stopped_halfway(client, path, database):
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert 0 < (await client.get(path)).json()["progress"]["rowsDone"] < count
    await worked_on()
    answer = (await client.get(path)).json()
    assert answer["progress"] == {
        "rowsDone": count + 1, "rowsTotal": count + 1, "created": 1, "updated": count - 1, "merged": 0, "refused": 1,
        "cellsIgnored": 0, "evicted": count - 100,
    }  # fmt: skip
    assert answer["notices"][0] == {
        "kind": "evicted",
        "idType": "phone",
        "rows": count - 100,
        "firstLines": [102, 103, 104],
    }
    refused = await client.get(f"{path}/RefusedRows")
    assert [line.split(",")[0] for line in refused.text.splitlines()] == ["line", str(count + 2)]


async def test_a_dry_run_begins_anew_when_the_store_gets_other_rules(
    client: httpx.AsyncClient, database: Database, worked_on: Work
) -> None:
    store_id = await make_store(client)
    content, count = _office_rows(8)
    path = path_of(store_id, await create_dry_run(client, store_id, content))
    work = asyncio.ensure_future(worked_on())
    async with _stopped_halfway(client, path, database):
        blocked = {"builtIn": True, "values": [{"idType": "email", "value": "office@acme.example"}]}
        answer = await client.put(f"/v1/ControlPlane/Stores/{store_id}/BlockedValues", json=blocked)
        assert answer.status_code == 202
    await work
    progress = (await client.get(path)).json()["progress"]
    assert (progress["created"], progress["updated"], progress["cellsIgnored"]) == (count, 0, count)


async def test_an_import_does_not_wait_for_a_dry_run(client: httpx.AsyncClient, store_id: str) -> None:
    await change_settings(client, store_id, phone={"limit": 1})
    content, count = _office_rows(4)
    created = await create_dry_run(client, store_id, content)
    done, _ = await imported(client, store_id, PEOPLE)
    assert done["progress"]["created"] == 1
    assert (await ended(client, store_id, created))["progress"]["evicted"] == count - 1
