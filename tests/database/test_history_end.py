"""History ends after the time for which it is kept: the oldest events first, in steps, and without gaps."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.clock import CLOCK
from profile_lookup.database.event_rows import NEXT_EVENTS
from profile_lookup.database.pool import Database
from profile_lookup.identity.history.event import NOTHING_BEFORE
from profile_lookup.jobs import history_end
from profile_lookup.jobs.history_end import end_history
from profile_lookup.jobs.job_handlers import running_worker
from profile_lookup.settings import Settings
from profile_lookup.web import ids
from tests.conftest import PATIENCE, WAITING, make_profile
from tests.database.contents import stored_events
from tests.database.plans import nodes_of

KEPT_FOR = timedelta(days=400)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"run_operations": False, "history_days": KEPT_FOR.days})


@pytest.fixture
async def person(client: httpx.AsyncClient, store_id: str) -> str:
    """The ID of a person with six events: two profiles merged, and three writes followed."""
    first = await make_profile(client, store_id, email="a@example.com", city="Gary")
    await make_profile(client, store_id, chat="c-1", city="Rome")
    await make_profile(client, store_id, email="a@example.com", chat="c-1")
    for city in ("Oslo", "Bern", "Bonn"):
        await make_profile(client, store_id, chat="c-1", city=city)
    return first


async def _age(database: Database, count: int) -> None:
    """Make the first events older than the time for which history is kept."""
    async with database.transaction() as connection:
        query = """
            update event set happened_at = :long_ago
            where number in (select number from event where profile_id is not null order by number limit :count)
        """
        await connection.execute(text(query), {"count": count, "long_ago": CLOCK.now() - KEPT_FOR - timedelta(days=1)})


async def _have_ended(database: Database) -> list[bool]:
    return [event.has_ended for event in await stored_events(database)]


async def _execute(database: Database, statement: str, **parameters: Any) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement), parameters)


async def test_only_old_events_end_and_they_can_still_be_seen(person: str, database: Database) -> None:
    await _age(database, 4)
    before = await stored_events(database)
    await end_history(database, KEPT_FOR)
    after = await stored_events(database)
    assert [event.has_ended for event in after] == [True] * 4 + [False] * 2
    assert after[4:] == before[4:]
    merge = after[2]
    assert (merge.kind, merge.rule, merge.matched, merge.added) == (
        before[2].kind, before[2].rule, before[2].matched, before[2].added,
    )  # fmt: skip
    assert [each.id for each in merge.absorbed] == [each.id for each in before[2].absorbed]
    assert not any(each.identifiers or each.traits for each in merge.absorbed)
    assert [*merge.before.lost, *merge.before.retimed, *merge.before.held] == []
    assert before[2].before != NOTHING_BEFORE


async def test_history_ends_in_steps_and_goes_on_where_it_has_stopped(
    person: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_end, "EVENTS_PER_STEP", 2)
    await _age(database, 3)
    await end_history(database, KEPT_FOR)
    assert await _have_ended(database) == [True] * 3 + [False] * 3
    await _age(database, 5)
    await _execute(database, "update event set document = (document::jsonb - 'x')::json")
    await end_history(database, KEPT_FOR)
    assert await _have_ended(database) == [False] * 3 + [True] * 2 + [False]  # the first ones are not read again


async def test_events_that_keep_nothing_do_not_stop_it(person: str, store_id: str, database: Database) -> None:
    await _age(database, 2)
    # They come first, and are new: somebody was erased and settings changed before the store was restored.
    recorded = """
        insert into event (store_id, number, id, profile_id, kind, happened_at, document)
        select :store_id, number, gen_random_uuid(), profile_id, kind, now(), '{"i":[]}'
        from (values (1, null, 'storeSettingsChanged'), (2, gen_random_uuid(), 'erased')) new (number, profile_id, kind)
    """
    await _execute(database, "update event set number = number + 1000")
    await _execute(database, recorded, store_id=ids.decoded(store_id))
    await end_history(database, KEPT_FOR)
    ended = [event.has_ended for event in await stored_events(database) if event.kind != "erased"]
    assert ended == [True] * 2 + [False] * 4


async def test_a_value_that_is_removed_meanwhile_does_not_come_back(
    client: httpx.AsyncClient, person: str, store_id: str, database: Database
) -> None:
    await _age(database, 6)
    async with database.transaction() as writing:
        await writing.execute(
            text("select from profile where store_id = :store_id for update"), {"store_id": ids.decoded(store_id)}
        )
        ending = asyncio.create_task(end_history(database, KEPT_FOR))
        async with asyncio.timeout(PATIENCE):
            while not await writing.scalar(text(WAITING)):
                await asyncio.sleep(0.01)
        await writing.execute(text("update event set document = replace(document::text, 'Rome', 'Gone')::json"))
    await ending
    assert await _have_ended(database) == [True] * 6
    values = [repr(event.request.traits) + repr(event.before.traits) for event in await stored_events(database)]
    assert not any("Rome" in each for each in values)


async def test_a_store_at_which_another_process_is_is_left_to_it(
    person: str, store_id: str, database: Database
) -> None:
    await _age(database, 1)
    await end_history(database, KEPT_FOR)
    await _age(database, 6)
    async with database.transaction() as other:
        await other.execute(
            text("select from history_end where store_id = :store_id for update"), {"store_id": ids.decoded(store_id)}
        )
        async with asyncio.timeout(PATIENCE):
            await end_history(database, KEPT_FOR)
    assert await _have_ended(database) == [True] + [False] * 5


async def test_a_worker_ends_history(person: str, database: Database, settings: Settings) -> None:
    await _age(database, 5)
    async with running_worker(settings), asyncio.timeout(PATIENCE):
        while await _have_ended(database) != [True] * 5 + [False]:
            await asyncio.sleep(0.05)


@pytest.mark.plain_postgresql("it reads plans by the names of tables, and those of Citus have names of shards")
@pytest.mark.parametrize("is_filled", [False, True])
async def test_the_next_events_are_found_by_the_primary_key(
    store_id: str, database: Database, *, is_filled: bool
) -> None:
    if is_filled:
        await _execute(
            database,
            """
            insert into event (store_id, id, profile_id, kind, happened_at, document)
            select :store_id, gen_random_uuid(), gen_random_uuid(), 'updated', now(), '{"i":[]}'
            from generate_series(1, 20000)
            """,
            store_id=ids.decoded(store_id),
        )
    async with database.statements() as connection:
        if is_filled:
            await connection.execute(text("vacuum analyze event"))
        parameters = {"store_id": ids.decoded(store_id), "after": 19_000, "limit": 200}
        explained = await connection.execute(text(f"explain (format json) {NEXT_EVENTS}"), parameters)
    (scan,) = [node for node in nodes_of(explained.scalar_one()[0]["Plan"]) if "Relation Name" in node]
    assert (scan["Node Type"], scan["Index Name"]) == ("Index Scan", "event_pkey")
    assert "store_id" in scan["Index Cond"]
    assert "number" in scan["Index Cond"]
