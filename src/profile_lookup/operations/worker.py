"""Does what takes long: takes operations from the queue and works on them, step by step.

The queue is the table of operations itself. A worker takes an operation for a while, the *lease*, and renews that in
the very transaction that does a step, so that each step is done once: whoever lost the lease cannot commit, and who
holds the row cannot lose it. When a worker dies, its lease runs out and the next worker goes on after the last step.
See docs/decisions/0009-a-queue-in-the-table-of-operations.md.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.engine import Database
from profile_lookup.errors import ProfileLookupError, Unavailable
from profile_lookup.operations import queries
from profile_lookup.operations.queries import Document, Taken
from profile_lookup.web.errors import CRASH, Error

LEASE = timedelta(seconds=15)
"""After a crash, work goes on at the latest after so long. A step may take longer: it holds the row meanwhile."""

POLL = 0.2  # seconds between looks for work
MAX_ATTEMPTS = 10  # without progress
PATIENCE_AT_THE_END = 5.0  # seconds
KEPT_FOR = timedelta(days=7)  # after completion; the contract's least

log = logging.getLogger(__name__)


class _LeaseLost(Exception):
    """Somebody else works on it: we were too slow."""


class Job:
    """An operation being worked on."""

    def __init__(self, database: Database, taken: Taken) -> None:
        self._database = database
        self._taken = taken
        self.progress = taken.progress

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

    async def save(self, connection: AsyncConnection, **progress: Any) -> None:
        """Within a step: where to go on after it."""
        await queries.save_progress(connection, self._taken, progress)
        self.progress = progress

    async def complete(self, connection: AsyncConnection, result_id: str) -> None:
        """Within the last step. `result_id` is the wire ID of what was made or changed."""
        await queries.complete(connection, self._taken, result_id)

    async def fail(self, error: Error) -> None:
        async with self.step() as connection:
            await queries.fail(connection, self._taken, error.code, error.message)

    async def give_back(self, wait: timedelta) -> None:
        async with self.step() as connection:
            await queries.give_back(connection, self._taken, wait)


Handler = Callable[[Job], Awaitable[None]]
"""Does the steps that are left, the last one completing the job. Raises a `ProfileLookupError` when it must fail."""


def relentless(handler: Handler) -> Handler:
    """For what must be done some time: what was deleted must not stay because of a defect of ours. It never fails."""
    _RELENTLESS.add(handler)
    return handler


_RELENTLESS: set[Handler] = set()


async def work(database: Database, handlers: Mapping[str, Handler]) -> None:
    """Until cancelled."""
    last_removal = float("-inf")
    loop = asyncio.get_running_loop()
    while True:
        try:
            await work_off(database, handlers)
            if loop.time() - last_removal > 3600:  # noqa: PLR2004 -- hourly
                last_removal = loop.time()
                async with database.statements() as connection:
                    await queries.remove_old(connection, KEPT_FOR)
        except Unavailable as error:
            log.warning("worker waits", exc_info=error)
        except Exception:
            log.exception("worker crashed")  # and goes on
        await asyncio.sleep(POLL)


async def work_off(database: Database, handlers: Mapping[str, Handler]) -> None:
    """Until there is nothing to do of what the handlers know: the rest is for workers of a newer version."""
    while True:
        async with database.statements() as connection:
            taken = await queries.take(connection, handlers, uuid4(), LEASE)
        if taken is None:
            return
        try:
            await _work_on(Job(database, taken), taken, handlers[taken.kind])
        except _LeaseLost:
            log.warning("operation was taken over", extra=_about(taken))


async def _work_on(job: Job, taken: Taken, handler: Handler) -> None:
    try:
        if taken.attempts > MAX_ATTEMPTS and handler not in _RELENTLESS:
            log.error("operation is given up", extra=_about(taken))
            await job.fail(CRASH)
        else:
            await handler(job)
    except _LeaseLost:
        raise
    except Unavailable as error:
        log.warning("operation waits", exc_info=error, extra=_about(taken))
        await job.give_back(timedelta(seconds=taken.attempts))
    except ProfileLookupError as error:
        await job.fail(Error.of_domain(error))
    except asyncio.CancelledError:  # the service ends: whoever is there next need not wait for the lease
        # If that does not work, because it is done already or the database is away, the lease runs out by itself.
        with suppress(Exception):
            async with asyncio.timeout(PATIENCE_AT_THE_END):
                await job.give_back(timedelta(0))
        raise
    except Exception:
        log.exception("operation crashed", extra=_about(taken))
        if handler in _RELENTLESS:
            await job.give_back(timedelta(seconds=min(2**taken.attempts, 3600)))
        else:
            await job.fail(CRASH)


def _about(taken: Taken) -> dict[str, str]:
    return {"operation": str(taken.id), "kind": taken.kind}
