"""Does what takes long: takes operations from the queue and works on them, step by step.

The queue is the table of operations itself. A worker takes an operation for a while, the *lease*, and renews that in
the very transaction that does a step, so that each step is done once: whoever lost the lease cannot commit, and who
holds the row cannot lose it. When a worker dies, its lease runs out and the next worker goes on after the last step.
See docs/decisions/0009-a-queue-in-the-table-of-operations.md.
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
from profile_lookup.operations import queries
from profile_lookup.operations.queries import Document, Taken
from profile_lookup.web.contract import CRASH_CODE, CRASH_MESSAGE, code_of, message_of

LEASE = timedelta(seconds=15)
"""After a crash, work goes on at the latest after so long. A step may take longer: it holds the row meanwhile."""

AT_ONCE = 4  # operations of one worker
LONG_AT_ONCE = 2  # of these, such that may take minutes: the others need not wait for them
POLL = 0.2  # seconds between looks for work
MAX_ATTEMPTS = 10  # without progress
LONGEST_WAIT = 300  # seconds between two of them: ten are a quarter of an hour, as a change of settings may take
PATIENCE_AT_THE_END = 5.0  # seconds
KEPT_FOR = timedelta(days=7)  # after completion; the contract's least

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class _LeaseLost(Exception):
    """Somebody else works on it: we were too slow."""


class Job:
    """An operation being worked on."""

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
        """One transaction, which commits only while the operation is ours."""
        async with self._database.transaction() as connection:
            if not await queries.renew(connection, self._taken, LEASE):
                raise _LeaseLost
            yield connection

    @asynccontextmanager
    async def overlapping_step(self) -> AsyncIterator[AsyncConnection]:
        """As `step`, but it may begin while the one before it is under way, which has locked the operation.

        Within the block, whoever calls waits for that one's end before the progress is saved.
        """
        async with self._database.transaction() as connection:
            yield connection
            if not await queries.renew(connection, self._taken, LEASE):
                raise _LeaseLost

    async def hold_until(self, task: "asyncio.Task[Result]") -> Result:
        """What comes of it. However long it takes, nobody else takes the operation."""
        try:
            while not (await asyncio.wait([task], timeout=LEASE.total_seconds() / 3))[0]:
                async with self.step():
                    pass
            return task.result()
        finally:
            task.cancel()

    async def save(self, connection: AsyncConnection, **progress: Any) -> None:
        """Within a step: where to go on after it."""
        await queries.save_progress(connection, self._taken, progress)
        self.progress = progress

    async def complete(self, connection: AsyncConnection, result_id: str) -> None:
        """Within the last step. `result_id` is the wire ID of what was made or changed."""
        await queries.complete(connection, self._taken, result_id)

    async def fail(self, code: int, detail: str) -> None:
        async with self.step() as connection:
            await queries.fail(connection, self._taken, code, detail)

    async def defer(self, wait: timedelta) -> None:
        """What it waits for is not there yet: it is taken again after a while, and meanwhile it is PENDING."""
        async with self.step() as connection:
            await queries.defer(connection, self._taken, wait)

    async def retry_later(self, wait: timedelta) -> None:
        async with self.step() as connection:
            await queries.retry_later(connection, self._taken, wait)

    async def release(self) -> None:
        async with self.step() as connection:
            await queries.release(connection, self._taken)


Handler = Callable[[Job], Awaitable[None]]
"""Does the steps that are left, the last one completing the job, or puts it off.

Raises a `ProfileLookupError` when it must fail.
"""


def relentless(handler: Handler) -> Handler:
    """For what must be done some time: what was deleted must not stay because of a defect of ours. It never fails."""
    _RELENTLESS.add(handler)
    return handler


_RELENTLESS: set[Handler] = set()


async def work(
    database: Database,
    handlers: Mapping[str, Handler],
    *,
    apart: Collection[str] = (),
    long: Collection[str] = (),
) -> None:
    """Until cancelled. `apart`: the kinds that have a turn of their own; `long`: those that may take minutes."""

    async def remove_old() -> None:
        async with database.statements() as connection:
            await queries.remove_old(connection, KEPT_FOR)

    async with asyncio.TaskGroup() as group:
        group.create_task(_repeat(POLL, partial(work_off, database, handlers, apart=apart, long=long)))
        group.create_task(_repeat(3600, remove_old))


async def _repeat(pause: float, action: Callable[[], Awaitable[None]]) -> None:
    """`pause`: seconds in between."""
    while True:
        await _whatever_happens(action())
        await asyncio.sleep(pause)


async def work_off(
    database: Database,
    handlers: Mapping[str, Handler],
    *,
    apart: Collection[str] = (),
    long: Collection[str] = (),
) -> None:
    """Until there is nothing to do of what the handlers know: the rest is for workers of a newer version."""
    at_work: dict[asyncio.Task[None], str] = {}

    async def take() -> Taken | None:
        if len(at_work) == AT_ONCE:
            return None
        has_enough = sum(kind in long for kind in at_work.values()) == LONG_AT_ONCE
        kinds = handlers.keys() - set(long) if has_enough else handlers
        async with database.statements() as connection:
            return await queries.take(connection, kinds, uuid4(), LEASE, apart=apart)

    async with asyncio.TaskGroup() as group:
        while True:
            taken = await _whatever_happens(take())
            if taken is not None:
                task = group.create_task(_whatever_happens(_do(database, taken, handlers[taken.kind])))
                at_work[task] = taken.kind
            elif at_work:
                ended, _ = await asyncio.wait(at_work, timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    del at_work[task]
            else:
                return


async def _whatever_happens(action: Awaitable[Result]) -> Result | None:
    """The others at work go on."""
    try:
        return await action
    except Unavailable as error:
        log.warning("worker waits", exc_info=error)
    except Exception:
        log.exception("worker crashed")
    return None


async def _do(database: Database, taken: Taken, handler: Handler) -> None:
    try:
        await _work_on(Job(database, taken), taken, handler)
    except _LeaseLost:
        log.warning("operation was taken over", extra=_about(taken))


async def _work_on(job: Job, taken: Taken, handler: Handler) -> None:
    try:
        if taken.attempts > MAX_ATTEMPTS and handler not in _RELENTLESS:
            log.error("operation is given up", extra=_about(taken))
            await job.fail(CRASH_CODE, CRASH_MESSAGE)
        else:
            await handler(job)
    except _LeaseLost:
        raise
    except Unavailable as error:
        log.warning("operation waits", exc_info=error, extra=_about(taken))
        await job.retry_later(timedelta(seconds=min(2**taken.attempts, LONGEST_WAIT)))
    except ProfileLookupError as error:
        await job.fail(code_of(error), message_of(error))
    except asyncio.CancelledError:  # the service ends: whoever is there next need not wait for the lease
        # If that does not work, because it is done already or the database is away, the lease runs out by itself.
        with suppress(Exception):
            async with asyncio.timeout(PATIENCE_AT_THE_END):
                await job.release()
        raise
    except Exception:
        log.exception("operation crashed", extra=_about(taken))
        if handler in _RELENTLESS:
            await job.retry_later(timedelta(seconds=min(2**taken.attempts, 3600)))
        else:
            await job.fail(CRASH_CODE, CRASH_MESSAGE)


def _about(taken: Taken) -> dict[str, str]:
    return {"operation": str(taken.id), "kind": taken.kind}
