"""The worker: takes operations from the queue and handles them, step by step.

The queue is the table of operations itself. A worker takes an operation for a while, the *lease*, and renews the lease
in the same transaction that does a step, so that each step is done exactly once: a worker that lost the lease cannot
commit, and one that holds the row cannot lose the lease. When a worker dies, its lease runs out and the next worker
goes on after the last step. See docs/decisions/0009-a-queue-in-the-table-of-operations.md.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.pool import Database
from profile_lookup.errors import ProfileLookupError, Unavailable
from profile_lookup.operations import queries, queue
from profile_lookup.operations.queue import Document, Taken
from profile_lookup.web.contract import CRASH_CODE, CRASH_MESSAGE, code_of, message_of

LEASE = timedelta(seconds=15)
"""After a crash, another worker goes on after this time at the latest. A step may take longer: it locks the row."""

MAX_RUNNING = 4  # operations of one worker at the same time
MAX_RUNNING_LONG = 2  # of these, operations that may take minutes, so that the others need not wait for them
POLL_INTERVAL = 0.2  # seconds
WAITS_INTERVAL = 2.0  # seconds
MAX_ATTEMPTS = 10  # without progress
LONGEST_RETRY_DELAY = 300  # seconds; ten attempts take a quarter of an hour, as long as a change of settings may
RELEASE_TIMEOUT = 5.0  # seconds, when the worker ends
KEPT_FOR = timedelta(days=7)  # after completion; the contract demands at least this

log = logging.getLogger(__name__)

T = TypeVar("T")


class _LeaseLost(Exception):
    """Another worker has taken the operation, since this one was too slow."""


class Job:
    """An operation that this worker is working on."""

    def __init__(self, database: Database, taken: Taken) -> None:
        self._database = database
        self._taken = taken
        self.progress = taken.progress

    @property
    def id(self) -> UUID:
        return self._taken.id

    @property
    def input(self) -> Document:
        return self._taken.input

    @property
    def account_id(self) -> UUID:
        return self._taken.account_id

    @property
    def store_id(self) -> UUID:
        return self._taken.store_id

    @asynccontextmanager
    async def step(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that commits only while this worker has the lease, and lock the operation."""
        async with self._database.transaction() as connection:
            if not await queue.renew(connection, self._taken, LEASE):
                raise _LeaseLost
            yield connection

    @asynccontextmanager
    async def overlapping_step(self) -> AsyncIterator[AsyncConnection]:
        """Open a step that may begin while the step before it is under way and has locked the operation.

        Within the block, the caller must wait for the end of that step before it saves progress.
        """
        async with self._database.transaction() as connection:
            yield connection
            if not await queue.renew(connection, self._taken, LEASE):
                raise _LeaseLost

    async def hold_until(self, task: "asyncio.Task[T]") -> T:
        """Return the task's result, and renew the lease as long as the task takes."""
        try:
            while not (await asyncio.wait([task], timeout=LEASE.total_seconds() / 3))[0]:
                async with self.step():
                    pass
            return task.result()
        finally:
            task.cancel()

    async def save(self, connection: AsyncConnection, **progress: Any) -> None:
        """Save, within a step, where to go on after it."""
        await queue.save_progress(connection, self._taken, progress)
        self.progress = progress

    async def complete(self, connection: AsyncConnection, result_id: str) -> None:
        """Complete the operation, within its last step. `result_id` is the wire ID of what was created or changed."""
        await queue.complete(connection, self._taken, result_id)

    async def fail(self, code: int, detail: str) -> None:
        async with self.step() as connection:
            await queue.fail(connection, self._taken, code, detail)

    async def defer(self, wait: timedelta) -> None:
        """Let the operation be taken again after a while, and be PENDING until then, since it still waits."""
        async with self.step() as connection:
            await queue.defer(connection, self._taken, wait)

    async def wait_outside(self, wait: timedelta) -> None:
        """Let the operation leave the queue for a while, and be PENDING until then, since it waits for something."""
        async with self.step() as connection:
            await queue.wait_outside(connection, self._taken, wait)

    async def retry_later(self, wait: timedelta) -> None:
        async with self.step() as connection:
            await queue.retry_later(connection, self._taken, wait)

    async def release(self) -> None:
        async with self.step() as connection:
            await queue.release(connection, self._taken)


Handler = Callable[[Job], Awaitable[None]]
"""Does the steps that are left, the last of which completes the job, or defers the job.

Raises a `ProfileLookupError` when the operation must fail.
"""


def retried_forever(handler: Handler) -> Handler:
    """Mark a handler whose operations never fail: what was deleted must not stay because of a defect of ours."""
    _RETRIED_FOREVER.add(handler)
    return handler


_RETRIED_FOREVER: set[Handler] = set()


async def run_worker(
    database: Database,
    handlers: Mapping[str, Handler],
    *,
    long: Collection[str] = (),
) -> None:
    """Handle operations until cancelled.

    `long`: the kinds that may take minutes.
    """

    async def remove_old() -> None:
        async with database.statements() as connection:
            await queries.remove_old(connection, KEPT_FOR)

    async def end_waits() -> None:
        async with database.statements() as connection:
            await queue.end_waits(connection)

    async with asyncio.TaskGroup() as group:
        group.create_task(_repeat(POLL_INTERVAL, partial(run_until_idle, database, handlers, long=long)))
        group.create_task(_repeat(WAITS_INTERVAL, end_waits))
        group.create_task(_repeat(3600, remove_old))


async def _repeat(pause: float, action: Callable[[], Awaitable[None]]) -> None:
    """Run the action for ever, with `pause` seconds in between."""
    while True:
        await _log_failure(action())
        await asyncio.sleep(pause)


async def run_until_idle(
    database: Database,
    handlers: Mapping[str, Handler],
    *,
    long: Collection[str] = (),
) -> None:
    """Handle operations until there is none of the handlers' kinds; other kinds are for workers of a newer version."""
    running: dict[asyncio.Task[None], str] = {}

    async def take() -> Taken | None:
        if len(running) == MAX_RUNNING:
            return None
        has_long_enough = sum(kind in long for kind in running.values()) == MAX_RUNNING_LONG
        kinds = handlers.keys() - set(long) if has_long_enough else handlers
        async with database.transaction() as connection:
            return await queue.take(connection, kinds, uuid4(), LEASE)

    async with asyncio.TaskGroup() as group:
        while True:
            taken = await _log_failure(take())
            if taken is not None:
                task = group.create_task(_log_failure(_handle(database, taken, handlers[taken.kind])))
                running[task] = taken.kind
            elif running:
                ended, _ = await asyncio.wait(running, timeout=POLL_INTERVAL, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    del running[task]
            else:
                return


async def _log_failure(action: Awaitable[T]) -> T | None:
    """Return the result of the action, or log why it failed and return None, so that other operations go on."""
    try:
        return await action
    except Unavailable as error:
        log.warning("worker waits for the database", exc_info=error)
    except Exception:
        log.exception("worker crashed")
    return None


async def _handle(database: Database, taken: Taken, handler: Handler) -> None:
    try:
        await _run_handler(Job(database, taken), taken, handler)
    except _LeaseLost:
        log.warning("another worker took the operation over", extra=_log_fields(taken))


async def _run_handler(job: Job, taken: Taken, handler: Handler) -> None:
    try:
        if taken.attempts > MAX_ATTEMPTS and handler not in _RETRIED_FOREVER:
            log.error("operation failed after too many attempts", extra=_log_fields(taken))
            await job.fail(CRASH_CODE, CRASH_MESSAGE)
        else:
            await handler(job)
    except _LeaseLost:
        raise
    except Unavailable as error:
        log.warning("operation is retried later", exc_info=error, extra=_log_fields(taken))
        await job.retry_later(timedelta(seconds=min(2**taken.attempts, LONGEST_RETRY_DELAY)))
    except ProfileLookupError as error:
        await job.fail(code_of(error), message_of(error))
    except asyncio.CancelledError:  # the worker ends: the next one need not wait for the lease to run out
        # If this fails, because the operation has ended or the database is away, the lease runs out by itself.
        with suppress(Exception):
            async with asyncio.timeout(RELEASE_TIMEOUT):
                await job.release()
        raise
    except Exception:
        log.exception("operation crashed", extra=_log_fields(taken))
        if handler in _RETRIED_FOREVER:
            await job.retry_later(timedelta(seconds=min(2**taken.attempts, 3600)))
        else:
            await job.fail(CRASH_CODE, CRASH_MESSAGE)


def _log_fields(taken: Taken) -> dict[str, str]:
    return {"operation": str(taken.id), "kind": taken.kind}
