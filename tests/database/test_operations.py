"""The queue of operations does each step exactly once, even if workers die; a failing operation delays no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Row, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.pool import Database
from profile_lookup.database.tables import operation, operation_turn
from profile_lookup.errors import SettingsRefused, Unavailable
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.operations import leases, queries, queue
from profile_lookup.operations.job import LEASE, Handler, Job, retried_forever
from profile_lookup.operations.job_worker import (
    KEPT_FOR,
    MAX_ATTEMPTS,
    MAX_RUNNING,
    MAX_RUNNING_LONG,
    POLL_INTERVAL,
    run_until_idle,
    run_worker,
)
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queue import Taken
from profile_lookup.stores.rules_cache import StoreRules
from tests.conftest import PATIENCE
from tests.database.many_operations import insert_operations, pages_read
from tests.database.stores import make_store

STEPS = 40


@pytest.fixture
async def store(database: Database) -> StoreRules:
    async with database.transaction() as connection:
        await connection.execute(text("create table step (at bigserial, operation uuid, number integer, worker text)"))
    return await make_store(database, DEFAULT_SETTINGS)


async def _enqueue(
    database: Database, store: StoreRules, kind: str = "COUNT", *, store_id: UUID | None = None, **more: Any
) -> UUID:
    async with database.transaction() as connection:
        return await queue.enqueue(connection, store.account_id, store_id or store.id, kind=kind, job_input={}, **more)


async def _row(database: Database, operation_id: UUID) -> Row[Any]:
    async with database.statements() as connection:
        return (await connection.execute(select(operation).where(operation.c.id == operation_id))).one()


async def _statuses(database: Database) -> list[str]:
    async with database.statements() as connection:
        return list((await connection.execute(select(operation.c.status).order_by(operation.c.id))).scalars())


async def _steps(database: Database) -> list[tuple[UUID, int]]:
    """Return the steps in the order in which they were done."""
    async with database.statements() as connection:
        rows = await connection.execute(text("select operation, number from step order by at"))
        return [(row.operation, row.number) for row in rows]


async def _expire_leases(database: Database) -> None:
    """Let all times pass that workers wait for."""
    past = text("statement_timestamp() - interval '1s'")
    async with database.transaction() as connection:
        await connection.execute(update(operation_turn).values(ready_at=past))
        await connection.execute(update(operation).values(leased_until=past, ready_at=past))


async def _take(database: Database, *kinds: str) -> Taken | None:
    async with database.transaction() as connection:
        return await queue.take(connection, kinds or HANDLERS, uuid4(), LEASE)


async def _record(job: Job, number: int, worker: str = "") -> None:
    """Do one step and commit a row for it in the same transaction."""
    async with job.step() as connection:
        values = {"operation": job._taken.id, "number": number, "worker": worker}
        await connection.execute(
            text("insert into step (operation, number, worker) values (:operation, :number, :worker)"), values
        )
        await job.save(connection, done=number)


async def _complete(job: Job) -> None:
    async with job.step() as connection:
        await job.complete(connection, "mem_store_x")


async def _count(job: Job) -> None:
    for number in range(job.progress.get("done", 0) + 1, STEPS + 1):
        await _record(job, number)
        await asyncio.sleep(0)
    await _complete(job)


async def _refuse(_job: Job) -> None:
    raise SettingsRefused("expected something else")


async def _crash(_job: Job) -> None:
    raise ValueError("a value that is personal")


HANDLERS: dict[str, Handler] = {"COUNT": _count, "REFUSE": _refuse, "CRASH": _crash}


@asynccontextmanager
async def _running(*work: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


async def test_concurrent_workers_do_each_step_once(database: Database, store: StoreRules) -> None:
    operations = [await _enqueue(database, store, store_id=uuid4()) for _ in range(6)]
    await asyncio.gather(*[run_until_idle(database, HANDLERS) for _ in range(4)])
    assert sorted(await _steps(database)) == [(each, number) for each in operations for number in range(1, STEPS + 1)]
    assert await _statuses(database) == ["COMPLETED"] * 6


async def test_the_operations_of_a_store_are_sequential(database: Database, store: StoreRules) -> None:
    operations = [await _enqueue(database, store) for _ in range(5)]
    # Each worker ends as soon as there is nothing that it may do.
    while "PENDING" in await _statuses(database):
        await asyncio.gather(*[run_until_idle(database, HANDLERS) for _ in range(4)])
    assert await _steps(database) == [(each, number) for each in operations for number in range(1, STEPS + 1)]


async def test_a_busy_store_does_not_delay_other_stores(database: Database, store: StoreRules) -> None:
    await _enqueue(database, store)
    other = await _enqueue(database, store, store_id=uuid4())
    assert await _take(database)  # a worker took the first operation and is slow
    await run_until_idle(database, HANDLERS)
    assert await _statuses(database) == ["RUNNING", "COMPLETED"]
    assert {each for each, _ in await _steps(database)} == {other}


async def test_an_independent_kind_waits_only_for_its_own_kind_and_delays_no_other(
    database: Database, store: StoreRules
) -> None:
    order: list[UUID] = []
    kinds = [OperationKind.IMPORT_PROFILES, OperationKind.UPDATE_PROFILES_BULK, "COUNT"]
    first = {kind: await _enqueue(database, store, kind) for kind in kinds}
    second = {kind: await _enqueue(database, store, kind) for kind in kinds}
    may_end = asyncio.Event()

    async def record_and_wait(job: Job) -> None:
        order.append(job._taken.id)
        await may_end.wait()
        await _complete(job)

    working = asyncio.create_task(run_until_idle(database, dict.fromkeys(first, record_and_wait)))
    async with _running(working), asyncio.timeout(PATIENCE):
        while len(order) < 3:
            await asyncio.sleep(0.01)
        await asyncio.sleep(2 * POLL_INTERVAL)  # enough time to take more
        assert order == list(first.values())
        may_end.set()
        await working
    assert set(order[3:]) == set(second.values())


async def test_a_waiting_operation_is_not_taken_and_delays_nothing_until_it_is_ready(
    database: Database, store: StoreRules
) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    waiting = await _enqueue(database, store, waits_until=later)
    other = await _enqueue(database, store)
    await run_until_idle(database, HANDLERS)
    assert await _statuses(database) == ["PENDING", "COMPLETED"]
    async with database.transaction() as connection:
        assert await queue.mark_ready(connection, store.account_id, waiting)
        assert not await queue.mark_ready(connection, store.account_id, waiting)
    await run_until_idle(database, HANDLERS)
    assert await _statuses(database) == ["COMPLETED", "COMPLETED"]
    assert list(dict.fromkeys(each for each, _ in await _steps(database))) == [other, waiting]


async def test_all_that_one_store_has_enqueued_delays_another_by_one_operation(
    database: Database, store: StoreRules
) -> None:
    """A worker goes from store to store, whoever came first."""
    for _ in range(5):
        await _enqueue(database, store)
    other = await _enqueue(database, store, store_id=uuid4())
    order = []
    while taken := await _take(database):
        order.append(taken.id)
        async with database.transaction() as connection:
            await leases.complete(connection, taken, "mem_store_x")
    assert order[1] == other


@pytest.mark.plain_postgresql("it counts the pages that are read where it is connected")
@pytest.mark.parametrize("number", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
async def test_the_next_operation_costs_the_same_however_many_wait(
    database: Database, store: StoreRules, number: int
) -> None:
    """What a worker reads is counted, not timed: pages of the tables of the queue."""

    async def take(connection: AsyncConnection) -> None:
        assert await queue.take(connection, HANDLERS, uuid4(), LEASE)

    later = datetime.now(UTC) + timedelta(hours=1)
    assert await _enqueue(database, store)
    few = await pages_read(database, take)
    for is_one_store, until in ((True, None), (False, None), (True, later)):
        await insert_operations(database, store, number, is_one_store=is_one_store, waits_until=until)
    many = await pages_read(database, take)
    print(f"The next of 1 operation: {few} pages; the next of {3 * number}: {many}")  # noqa: T201 -- pytest -rP
    assert many < few + 50


async def test_an_operation_that_becomes_ready_waits_for_a_later_one_that_is_running(
    database: Database, store: StoreRules
) -> None:
    waiting = await _enqueue(database, store, waits_until=datetime.now(UTC) + timedelta(hours=1))
    later = await _enqueue(database, store)
    begun = await _take(database)
    assert begun
    assert begun.id == later
    async with database.transaction() as connection:
        assert await queue.mark_ready(connection, store.account_id, waiting)
    assert await _take(database) is None
    async with database.transaction() as connection:
        await leases.complete(connection, begun, "mem_store_x")
    taken = await _take(database)
    assert taken
    assert taken.id == waiting


async def test_an_operation_that_has_begun_goes_on_before_an_earlier_one_that_became_ready(
    database: Database, store: StoreRules
) -> None:
    waiting = await _enqueue(database, store, waits_until=datetime.now(UTC) + timedelta(hours=1))
    later = await _enqueue(database, store)
    begun = await _take(database)
    assert begun
    async with database.transaction() as connection:
        await queue.mark_ready(connection, store.account_id, waiting)
        await leases.retry_later(connection, begun, timedelta(0))
    taken = await _take(database)
    assert taken
    assert taken.id == begun.id == later


async def test_a_waiting_operation_that_never_becomes_ready_is_taken_after_its_deadline(
    database: Database, store: StoreRules
) -> None:
    waiting = await _enqueue(database, store, waits_until=datetime.now(UTC) - timedelta(seconds=1))
    async with database.transaction() as connection:
        assert not await queue.mark_ready(connection, store.account_id, waiting)
        await queue.end_waits(connection)
    await run_until_idle(database, HANDLERS)
    assert await _statuses(database) == ["COMPLETED"]


async def test_long_operations_never_fill_a_worker(database: Database, store: StoreRules) -> None:
    long = [await _enqueue(database, store, "LONG", store_id=uuid4()) for _ in range(MAX_RUNNING + 1)]
    short = await _enqueue(database, store, store_id=uuid4())
    may_end = asyncio.Event()

    async def wait(job: Job) -> None:
        await may_end.wait()
        await _complete(job)

    working = asyncio.create_task(run_until_idle(database, HANDLERS | {"LONG": wait}, long={"LONG"}))
    async with _running(working), asyncio.timeout(PATIENCE):
        while (await _row(database, short)).status != "COMPLETED":
            await asyncio.sleep(0.01)
        statuses = [(await _row(database, each)).status for each in long]
        assert statuses == ["RUNNING"] * MAX_RUNNING_LONG + ["PENDING"] * (MAX_RUNNING + 1 - MAX_RUNNING_LONG)
        may_end.set()
        await working
    assert set(await _statuses(database)) == {"COMPLETED"}


async def test_a_worker_that_may_not_take_a_kind_leaves_it_to_the_others_at_once(
    database: Database, store: StoreRules
) -> None:
    long = await _enqueue(database, store, "LONG")
    await _enqueue(database, store, "LONG", store_id=uuid4())
    async with database.transaction() as connection:
        assert await queue.take(connection, {"COUNT"}, uuid4(), LEASE) is None
        taken = await _take(database, "LONG")
    assert taken
    assert taken.id == long


async def test_a_leased_operation_is_not_taken(database: Database, store: StoreRules) -> None:
    await _enqueue(database, store)
    assert await _take(database)
    assert await _take(database) is None


async def test_after_a_lease_expires_the_next_worker_continues_after_the_last_step(
    database: Database, store: StoreRules
) -> None:
    await _enqueue(database, store)
    taken = await _take(database)
    assert taken
    for number in (1, 2, 3):
        await _record(Job(database, taken), number, "who dies")
    await _expire_leases(database)
    await run_until_idle(database, HANDLERS)
    assert [number for _, number in await _steps(database)] == list(range(1, STEPS + 1))
    assert await _statuses(database) == ["COMPLETED"]


async def test_a_worker_that_lost_its_lease_commits_nothing(database: Database, store: StoreRules) -> None:
    await _enqueue(database, store)
    has_begun, may_go_on = asyncio.Event(), asyncio.Event()

    async def lose_lease(job: Job) -> None:
        await _record(job, 1, "slow")
        has_begun.set()
        await may_go_on.wait()
        await _record(job, 2, "slow")
        pytest.fail("it had no lease")

    slow = asyncio.create_task(run_until_idle(database, {"COUNT": lose_lease}))
    async with _running(slow):
        await has_begun.wait()
        await _expire_leases(database)
        await run_until_idle(database, HANDLERS)
        may_go_on.set()
        await slow  # the worker continues with the next operation
    assert [number for _, number in await _steps(database)] == list(range(1, STEPS + 1))
    assert await _statuses(database) == ["COMPLETED"]


async def test_a_lease_cannot_be_lost_within_a_step_however_long_it_takes(
    database: Database, store: StoreRules
) -> None:
    operation_id = await _enqueue(database, store)
    is_within, may_end = asyncio.Event(), asyncio.Event()

    async def in_one_long_step(job: Job) -> None:
        async with job.step() as connection:
            past = text("statement_timestamp() - interval '1s'")
            await connection.execute(update(operation).values(leased_until=past))
            async with database.transaction() as other_connection:
                await other_connection.execute(update(operation_turn).values(ready_at=past))
            is_within.set()
            await may_end.wait()
            await job.complete(connection, "mem_store_x")

    slow = asyncio.create_task(run_until_idle(database, {"COUNT": in_one_long_step}))
    async with _running(slow):
        await is_within.wait()
        await run_until_idle(database, HANDLERS)  # finds nothing to do
        may_end.set()
        await slow
    assert (await _row(database, operation_id)).status == "COMPLETED"
    assert await _steps(database) == []


async def test_a_crashing_handler_fails_alone_and_reveals_nothing(
    database: Database, store: StoreRules, caplog: pytest.LogCaptureFixture
) -> None:
    poisoned = await _enqueue(database, store, "CRASH")
    sound = await _enqueue(database, store)
    await run_until_idle(database, HANDLERS)
    row = await _row(database, poisoned)
    assert (row.status, row.error_code, row.error_detail) == ("FAILED", 20500, "Internal Server Error")
    assert row.completed_at is not None
    assert (await _row(database, sound)).status == "COMPLETED"
    assert [record.message for record in caplog.records] == ["operation crashed"]


async def test_the_refusal_of_a_handler_is_stored_as_the_error(database: Database, store: StoreRules) -> None:
    operation_id = await _enqueue(database, store, "REFUSE")
    await run_until_idle(database, HANDLERS)
    refused = await _row(database, operation_id)
    assert (refused.status, refused.error_code, refused.error_detail) == ("FAILED", 520024, "expected something else")


async def test_a_failed_step_is_rolled_back(database: Database, store: StoreRules) -> None:
    await _enqueue(database, store)

    async def fail_halfway(job: Job) -> None:
        async with job.step() as connection:
            await connection.execute(text("insert into step (number, worker) values (1, 'half')"))
            raise SettingsRefused("expected something else")

    await run_until_idle(database, {"COUNT": fail_halfway})
    assert await _steps(database) == []
    assert await _statuses(database) == ["FAILED"]


async def test_an_operation_is_retried_later_while_the_database_is_overloaded(
    database: Database, store: StoreRules
) -> None:
    operation_id = await _enqueue(database, store)
    tries = []

    async def succeed_at_third_attempt(job: Job) -> None:
        tries.append(job)
        if len(tries) < 3:
            raise Unavailable
        await _count(job)

    for status in ("RUNNING", "RUNNING", "COMPLETED"):
        await run_until_idle(database, {"COUNT": succeed_at_third_attempt})
        assert (await _row(database, operation_id)).status == status
        await _expire_leases(database)  # the time of the deferral is over


async def test_an_operation_that_makes_no_progress_is_given_up(
    database: Database, store: StoreRules, caplog: pytest.LogCaptureFixture
) -> None:
    """This happens if the operation crashes the whole process every time."""
    operation_id = await _enqueue(database, store)
    for _ in range(MAX_ATTEMPTS):
        assert await _take(database)
        await _expire_leases(database)
    await run_until_idle(database, HANDLERS)
    row = await _row(database, operation_id)
    assert (row.status, row.error_code) == ("FAILED", 20500)
    assert await _steps(database) == []
    assert "operation failed after too many attempts" in caplog.messages


async def test_progress_resets_the_attempts(database: Database, store: StoreRules) -> None:
    operation_id = await _enqueue(database, store)
    for number in range(1, MAX_ATTEMPTS + 5):
        taken = await _take(database)
        assert taken
        await _record(Job(database, taken), number)
        await _expire_leases(database)
    await run_until_idle(database, HANDLERS)
    assert (await _row(database, operation_id)).status == "COMPLETED"


async def test_a_worker_that_ends_releases_its_operation_immediately(database: Database, store: StoreRules) -> None:
    operation_id = await _enqueue(database, store)
    is_within = asyncio.Event()

    async def forever(job: Job) -> None:
        await _record(job, 1)
        is_within.set()
        await asyncio.Event().wait()

    ending = asyncio.create_task(run_worker(database, {"COUNT": forever}))
    async with _running(ending):
        await is_within.wait()
    assert (await _row(database, operation_id)).lease is None
    await run_until_idle(database, HANDLERS)  # it can be taken immediately
    assert [number for _, number in await _steps(database)] == list(range(1, STEPS + 1))


async def test_a_worker_ends_even_if_it_has_nothing_left_to_release(database: Database, store: StoreRules) -> None:
    """The worker may be stopped just after the last step was committed; nothing must keep it running then."""
    await _enqueue(database, store)
    has_completed = asyncio.Event()

    async def until_the_end(job: Job) -> None:
        await _complete(job)
        has_completed.set()
        await asyncio.Event().wait()

    ending = asyncio.create_task(run_worker(database, {"COUNT": until_the_end}))
    async with _running(ending):
        await has_completed.wait()
        ending.cancel()
        done, _ = await asyncio.wait([ending], timeout=5)
        assert done
    assert await _statuses(database) == ["COMPLETED"]


async def test_a_worker_ends_even_if_the_database_is_unavailable(
    database_url: str, database: Database, store: StoreRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profile_lookup.operations.job_worker.RELEASE_TIMEOUT", 0.2)
    await _enqueue(database, store)
    is_within = asyncio.Event()
    worker_database = Database(database_url, pool_size=2)

    async def forever(_job: Job) -> None:
        is_within.set()
        await asyncio.Event().wait()

    ending = asyncio.create_task(run_worker(worker_database, {"COUNT": forever}))
    async with _running(ending):
        await is_within.wait()
        async with database.transaction() as connection:  # simulates that: nothing can be written
            await connection.execute(text("lock table operation in exclusive mode"))
            ending.cancel()
            done, _ = await asyncio.wait([ending], timeout=15)
            assert done
    await worker_database.close()


async def test_a_worker_that_ends_in_order_does_not_count_an_attempt(database: Database, store: StoreRules) -> None:
    operation_id = await _enqueue(database, store)
    is_within = asyncio.Event()

    async def wait(_job: Job) -> None:
        is_within.set()
        await asyncio.sleep(PATIENCE)

    worker = asyncio.create_task(run_until_idle(database, {"COUNT": wait}))
    async with _running(worker):
        await asyncio.wait_for(is_within.wait(), PATIENCE)
    assert (await _row(database, operation_id)).attempts == 0


async def test_a_relentless_operation_is_never_given_up(database: Database, store: StoreRules) -> None:
    crashes = 0

    async def crash(job: Job) -> None:
        nonlocal crashes
        crashes += 1
        raise ValueError

    operation_id = await _enqueue(database, store, "ERASE")
    handlers: dict[str, Handler] = {"ERASE": retried_forever(crash)}
    for _ in range(MAX_ATTEMPTS + 2):
        await run_until_idle(database, handlers)
        await _expire_leases(database)
    assert crashes == MAX_ATTEMPTS + 2
    assert (await _row(database, operation_id)).completed_at is None


async def test_an_operation_of_an_unknown_kind_is_left_to_newer_versions(database: Database, store: StoreRules) -> None:
    operation_id = await _enqueue(database, store, "OF_ANOTHER_VERSION")
    await run_until_idle(database, HANDLERS)
    assert (await _row(database, operation_id)).status == "PENDING"


async def test_completed_operations_are_kept_for_seven_days_and_then_removed(
    database: Database, store: StoreRules
) -> None:
    ages = [timedelta(days=6, hours=23), timedelta(days=7, hours=1)]
    unfinished = await _enqueue(database, store)
    async with database.transaction() as connection:
        for age in ages:
            operation_id = await queries.record_completed(
                connection, store.account_id, store.id, kind="COUNT", result_id="x"
            )
            await connection.execute(
                update(operation).where(operation.c.id == operation_id).values(completed_at=datetime.now(UTC) - age)
            )
        await connection.execute(update(operation).values(created_at=datetime.now(UTC) - max(ages)))
    assert await _take(database)  # so that no worker works on the unfinished one
    assert timedelta(days=7) == KEPT_FOR
    async with _running(asyncio.create_task(run_worker(database, HANDLERS))), asyncio.timeout(PATIENCE):
        while len(await _statuses(database)) == 3:
            await asyncio.sleep(0.02)
    assert await _statuses(database) == ["RUNNING", "COMPLETED"]
    assert (await _row(database, unfinished)).status == "RUNNING"
