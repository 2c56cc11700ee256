"""An operation that a worker has leased, and the steps in which it does it.

Each step is a transaction that renews the lease: a worker that lost the lease cannot commit, and one that holds the row
cannot lose the lease. A step has a deadline, so that a server that falls silent never stops a worker for good.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import Document
from profile_lookup.database.pool import Database
from profile_lookup.errors import Unavailable
from profile_lookup.identity.history.creation import Actor
from profile_lookup.operations import leases
from profile_lookup.operations.queue import Taken
from profile_lookup.web import ids

LEASE = timedelta(seconds=15)
"""After a crash, another worker goes on after this time at the latest. A step may take longer: it locks the row."""

STEP_DEADLINE = 60.0  # seconds

T = TypeVar("T")


class LeaseLost(Exception):
    """Another worker has taken the operation, since this one was too slow; or it was cancelled."""


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
    def actor(self) -> Actor:
        """Whom events name as the one who asked for what the operation does."""
        return Actor("operation", ids.operation_id(self.id))

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
        """Open a transaction that commits only while this worker has the lease, and lock the operation.

        Raises `Unavailable` after `STEP_DEADLINE`.
        """
        async with _deadline(), self._database.transaction() as connection:
            await self._renew(connection)
            yield connection

    @asynccontextmanager
    async def long_step(self) -> AsyncIterator[AsyncConnection]:
        """Open a step that has no deadline but lasts as long as PostgreSQL works on it."""
        async with self._database.watched_transaction() as connection:
            await self._renew(connection)
            yield connection

    @asynccontextmanager
    async def overlapping_step(self) -> AsyncIterator[AsyncConnection]:
        """Open a step that may begin while the step before it is under way and has locked the operation.

        Within the block, the caller must wait for the end of that step before it saves progress.
        """
        async with _deadline(), self._database.transaction() as connection:
            yield connection
            await self._renew(connection)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection that is closed at the end, for temporary tables. It says nothing about the lease."""
        async with self._database.session() as connection:
            yield connection

    async def renew(self) -> None:
        """Renew the lease in a transaction of its own. Raises `LeaseLost`, or `Unavailable` after `STEP_DEADLINE`."""
        async with self.step():
            pass

    async def _renew(self, connection: AsyncConnection) -> None:
        if not await leases.renew(connection, self._taken, LEASE):
            raise LeaseLost

    async def hold_until(self, task: "asyncio.Task[T]") -> T:
        """Return the task's result, and renew the lease as long as the task takes."""
        try:
            while not (await asyncio.wait([task], timeout=LEASE.total_seconds() / 3))[0]:
                await self.renew()
            return task.result()
        finally:
            task.cancel()

    async def save(self, connection: AsyncConnection, **progress: Any) -> None:
        """Save, within a step, where to go on after it."""
        await leases.save_progress(connection, self._taken, progress)
        self.progress = progress

    async def complete(self, connection: AsyncConnection, result_id: str) -> None:
        """Complete the operation, within its last step. `result_id` is the wire ID of what was created or changed."""
        await leases.complete(connection, self._taken, result_id)

    async def fail(self, code: int, detail: str) -> None:
        async with self.step() as connection:
            await leases.fail(connection, self._taken, code, detail)

    async def defer(self, wait: timedelta) -> None:
        """Let the operation be taken again after a while, and be PENDING until then, since it still waits."""
        async with self.step() as connection:
            await leases.defer(connection, self._taken, wait)

    async def wait_outside(self, wait: timedelta) -> None:
        """Let the operation leave the queue for a while, and be PENDING until then, since it waits for something."""
        async with self.step() as connection:
            await leases.wait_outside(connection, self._taken, wait)

    async def retry_later(self, wait: timedelta) -> None:
        async with self.step() as connection:
            await leases.retry_later(connection, self._taken, wait)

    async def release(self) -> None:
        async with self.step() as connection:
            await leases.release(connection, self._taken)


Handler = Callable[[Job], Awaitable[None]]
"""Does the steps that are left, the last of which completes the job, or defers the job.

Raises a `ProfileLookupError` when the operation must fail.
"""


def retried_forever(handler: Handler) -> Handler:
    """Mark a handler whose operations never fail: what was deleted must not stay because of a defect of ours."""
    _RETRIED_FOREVER.add(handler)
    return handler


def is_retried_forever(handler: Handler) -> bool:
    return handler in _RETRIED_FOREVER


_RETRIED_FOREVER: set[Handler] = set()


@asynccontextmanager
async def _deadline() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(STEP_DEADLINE) as limit:
            yield
    except TimeoutError as error:
        if limit.expired():
            raise Unavailable("a step took too long") from error
        raise
