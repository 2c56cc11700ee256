"""The worker: takes operations from the queue and handles them, step by step.

The queue is the table of operations itself. A worker takes an operation for a while, the *lease*, and renews the lease
in the same transaction that does a step, so that each step is done exactly once: a worker that lost the lease cannot
commit, and one that holds the row cannot lose the lease. When a worker dies, its lease runs out and the next worker
goes on after the last step. See docs/decisions/0009-a-queue-in-the-table-of-operations.md.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TypeVar
from uuid import uuid4

from profile_lookup.accounts.administration import remove_deleted
from profile_lookup.database.pool import Database
from profile_lookup.errors import ProfileLookupError, Unavailable
from profile_lookup.operations import queries, queue
from profile_lookup.operations.job import LEASE, Handler, Job, LeaseLost, is_retried_forever
from profile_lookup.operations.queue import Taken
from profile_lookup.operations.queue_metrics import measure_queue
from profile_lookup.traces.spans import operation_span
from profile_lookup.web.contract import CRASH_CODE, CRASH_MESSAGE, code_of, message_of

MAX_RUNNING = 4  # operations of one worker at the same time
MAX_RUNNING_LONG = 2  # of these, operations that may take minutes, so that the others need not wait for them
POLL_INTERVAL = 0.2  # seconds
WAITS_INTERVAL = 2.0  # seconds
MEASURE_INTERVAL = 5.0  # seconds
MAX_ATTEMPTS = 10  # without progress
LONGEST_RETRY_DELAY = 300  # seconds; ten attempts take a quarter of an hour, as long as a change of settings may
QUEUE_DEADLINE = 5.0  # seconds in which the queue must answer; if it does not, the connection is given up
RELEASE_TIMEOUT = 5.0  # seconds, when the worker ends
KEPT_FOR = timedelta(days=7)  # after completion; the contract demands at least this

log = logging.getLogger(__name__)

T = TypeVar("T")


async def run_worker(
    database: Database,
    handlers: Mapping[str, Handler],
    *,
    long: Collection[str] = (),
    hourly: Collection[Callable[[Database], Awaitable[None]]] = (),
    is_measured: bool = False,
) -> None:
    """Handle operations until cancelled.

    `long`: the kinds that may take minutes. `hourly`: what is done beside them, when it begins and then every hour.
    `is_measured`: whether the queue is measured for metrics.
    """

    async def remove_old() -> None:
        async with database.statements() as connection:
            await queries.remove_old(connection, KEPT_FOR)
            await remove_deleted(connection)

    async def end_waits() -> None:
        async with asyncio.timeout(QUEUE_DEADLINE), database.statements() as connection:
            await queue.end_waits(connection)

    async with asyncio.TaskGroup() as group:
        group.create_task(_repeat(POLL_INTERVAL, partial(run_until_idle, database, handlers, long=long)))
        group.create_task(_repeat(WAITS_INTERVAL, end_waits))
        group.create_task(_repeat(3600, remove_old))
        if is_measured:
            group.create_task(_repeat(MEASURE_INTERVAL, partial(measure_queue, database)))
        for action in hourly:
            group.create_task(_repeat(3600, partial(action, database)))


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
        async with asyncio.timeout(QUEUE_DEADLINE), database.transaction() as connection:
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
    except (Unavailable, TimeoutError) as error:
        log.warning("worker waits for the database", exc_info=error)
    except Exception:
        log.exception("worker crashed")
    return None


async def _handle(database: Database, taken: Taken, handler: Handler) -> None:
    try:
        with operation_span(taken.kind):
            await _run_handler(Job(database, taken), taken, handler)
    except LeaseLost:
        log.warning("the operation was cancelled, or another worker took it over", extra=_log_fields(taken))


async def _run_handler(job: Job, taken: Taken, handler: Handler) -> None:
    try:
        if taken.attempts > MAX_ATTEMPTS and not is_retried_forever(handler):
            log.error("operation failed after too many attempts", extra=_log_fields(taken))
            await job.fail(CRASH_CODE, CRASH_MESSAGE)
        else:
            await handler(job)
    except LeaseLost:
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
        if is_retried_forever(handler):
            await job.retry_later(timedelta(seconds=min(2**taken.attempts, 3600)))
        else:
            await job.fail(CRASH_CODE, CRASH_MESSAGE)


def _log_fields(taken: Taken) -> dict[str, str]:
    return {"operation": str(taken.id), "kind": taken.kind}
