"""A process with an older phonenumbers writes a store; today's release serves it, and nobody is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.app import create_app
from profile_lookup.database.pool import Database
from profile_lookup.identity.values.normalization_version import CURRENT
from profile_lookup.jobs.job_handlers import HANDLERS
from profile_lookup.jobs.normalization_drift import queue_renormalizations
from profile_lookup.operations.job_worker import run_until_idle
from profile_lookup.settings import Settings
from tests.conftest import BASE_URL, PATIENCE, look_up, make_store
from tests.contract.conforming import ConformingTransport
from tests.databases import database_copy
from tests.program.conftest import command
from tests.releases.older_store import ACCOUNT, CROWD, PEOPLE, TOKEN, WRITERS, OlderStore, Person, Writer

pytestmark = pytest.mark.slow


@pytest.fixture(params=WRITERS, ids=str)
def writer(request: pytest.FixtureRequest) -> Writer:
    chosen: Writer = request.param
    return chosen


@pytest.fixture
def older_store(writer: Writer, written_store: Callable[[Writer], OlderStore]) -> OlderStore:
    return written_store(writer)


@pytest.fixture
def database_url(server_url: str, older_store: OlderStore) -> Iterator[str]:
    """The URL of a copy of the older store's database."""
    yield from database_copy(server_url, older_store.database)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Today's service, with the locked release of phonenumbers. The tests do the operations."""
    app = create_app(settings.model_copy(update={"run_operations": False}))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=(ACCOUNT, TOKEN)) as opened,
    ):
        yield opened


async def _expect_all_found(client: httpx.AsyncClient, store: OlderStore, *, rewritten: bool = False) -> None:
    """Look for each person by each spelling."""
    for name, profile_id in store.profiles.items():
        person = PEOPLE[name]
        for spelling in [*person.spellings, *(person.later if rewritten else ())]:
            found = await look_up(client, store.store_id, person.id_type, spelling)
            assert found == [profile_id], (name, spelling)


async def _expect_crowd_found(client: httpx.AsyncClient, store_id: str) -> None:
    """Look for some of the many by the old and the new number."""
    for old in CROWD[::49]:
        found = await look_up(client, store_id, "phone", old)
        assert len(found) == 1
        assert await look_up(client, store_id, "phone", f"{old[:5]}9{old[5:]}") == found


async def test_everybody_is_found_by_the_old_and_the_new_spelling_before_during_and_after_the_operation(
    client: httpx.AsyncClient, older_store: OlderStore, writer: Writer, database: Database
) -> None:
    await _expect_all_found(client, older_store)
    await _expect_crowd_found(client, older_store.store_id)
    await queue_renormalizations(database)
    async with _halfway(database, expect_blocked=writer.commit is not None):
        await _expect_all_found(client, older_store)
        await _expect_crowd_found(client, older_store.store_id)
    await _rewrite(database)
    await _expect_all_found(client, older_store, rewritten=True)
    await _expect_crowd_found(client, older_store.store_id)


@asynccontextmanager
async def _halfway(database: Database, *, expect_blocked: bool) -> AsyncIterator[None]:
    """Start the operation; keep it from rewriting the last of the crowd; at the end, let it go on until it is done.

    If the older process wrote today's forms, there is nothing to rewrite, and the operation is not blocked.
    """
    async with database.transaction() as connection:
        await connection.execute(
            text("select from profile join identifier on profile_id = id where value like :last for update of profile"),
            {"last": f"%{CROWD[-1][6:]}"},
        )
        working = asyncio.create_task(run_until_idle(database, HANDLERS))
        async with asyncio.timeout(PATIENCE):
            while not working.done() and not await _is_blocked(database):
                await asyncio.sleep(0.01)
        assert working.done() is not expect_blocked
        if expect_blocked:
            assert 0 < await _count_of_old_forms(database) < len(CROWD)
        yield
    await working


async def _is_blocked(database: Database) -> bool:
    async with database.statements() as connection:
        return bool(await connection.scalar(text("select exists (select from pg_locks where not granted)")))


async def _count_of_old_forms(database: Database) -> int:
    async with database.statements() as connection:
        query = text("select count(*) from identifier where value = any (cast(:old as text[]))")
        return int((await connection.execute(query, {"old": CROWD})).scalar_one())


async def _rewrite(database: Database) -> None:
    """Do the operation until all values are those of today's version."""
    await queue_renormalizations(database)
    async with asyncio.timeout(PATIENCE):
        while await _versions(database) != [CURRENT.to_document()]:
            await run_until_idle(database, HANDLERS)


async def _versions(database: Database) -> list[dict[str, object]]:
    async with database.statements() as connection:
        return list((await connection.execute(text("select distinct normalization from store"))).scalars())


async def test_everybodys_value_is_replaced_by_the_string_that_it_is_stored_as_and_then_removed(
    client: httpx.AsyncClient, older_store: OlderStore
) -> None:
    for number, (name, path) in enumerate(_identifier_paths(older_store)):
        id_type = PEOPLE[name].id_type
        stored = await _stored(client, path)
        new = f"+1317555{number:04}" if id_type == "phone" else "new@example.com"
        replaced = await client.patch(path, json={"idType": id_type, "oldValue": stored, "newValue": new})
        assert replaced.status_code == 202, (name, replaced.text)
        assert await _stored(client, path) == new
        assert await look_up(client, older_store.store_id, id_type, new) == [older_store.profiles[name]]
        await _expect_nobody(client, older_store.store_id, PEOPLE[name])
        assert (await client.delete(path)).status_code == 202
        assert await look_up(client, older_store.store_id, id_type, new) == []


async def test_everybodys_older_value_is_removed(client: httpx.AsyncClient, older_store: OlderStore) -> None:
    for name, path in _identifier_paths(older_store):
        assert (await client.delete(path)).status_code == 202, name
        assert (await client.get(path)).status_code == 404
        await _expect_nobody(client, older_store.store_id, PEOPLE[name])


def _identifier_paths(store: OlderStore) -> list[tuple[str, str]]:
    """Return the name of each person with the path of the identifiers."""
    profiles = f"/v1/Stores/{store.store_id}/Profiles"
    return [(name, f"{profiles}/{each}/Identifiers/{PEOPLE[name].id_type}") for name, each in store.profiles.items()]


async def _stored(client: httpx.AsyncClient, path: str) -> str:
    (value,) = (await client.get(path)).json()["values"]
    return str(value)


async def _expect_nobody(client: httpx.AsyncClient, store_id: str, person: Person) -> None:
    """A spelling that today's rules refuse is refused again, since it is not stored any more."""
    for spelling in (person.sent, *person.spellings):
        body = {"idType": person.id_type, "value": spelling}
        answer = await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json=body)
        assert answer.json().get("profiles", []) == [], spelling
        assert answer.status_code == (400 if person is PEOPLE["Croatia"] else 200)


async def test_an_export_is_restored_into_a_new_store_and_everybody_is_found_before_and_after_the_operation(
    client: httpx.AsyncClient, older_store: OlderStore, database: Database, database_url: str, tmp_path: Path
) -> None:
    async def restored(store: OlderStore, file: Path) -> OlderStore:
        exported = command("export", "--store", store.store_id, "--output", str(file), DATABASE_URL=database_url)
        assert exported.returncode == 0, exported.stderr
        await _delete_profiles(database)  # a profile's ID exists only once
        other = await make_store(client, file.stem)
        ended = command("restore", str(file), "--store", other, DATABASE_URL=database_url)
        count = len(store.profiles) + len(CROWD)
        assert ended.stdout == f"Restored {count} profiles, and the settings and trait groups of the file.\n"
        return store._replace(store_id=other)

    behind = await restored(older_store, tmp_path / "behind.jsonl")
    await _expect_all_found(client, behind)
    await _expect_crowd_found(client, behind.store_id)
    await _rewrite(database)
    await _expect_all_found(client, behind, rewritten=True)
    rewritten = await restored(behind, tmp_path / "rewritten.jsonl")
    await _expect_all_found(client, rewritten, rewritten=True)
    await _expect_crowd_found(client, rewritten.store_id)


async def _delete_profiles(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("truncate profile cascade"))
