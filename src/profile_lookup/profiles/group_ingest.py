"""Profiles that are created at the same time are written together, in one transaction: group commit.

A request that finds nothing under way in its store goes at once, with those that arrived in the same turn of the event
loop. While its store is busy, others queue up, and the next transaction takes up to 64 of them: the busier the service
is, the less each costs. See docs/decisions/0018-creates-together.md.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.engine import Database
from profile_lookup.errors import ProfileLookupError, Unavailable
from profile_lookup.identity.change import Change
from profile_lookup.identity.people import Written
from profile_lookup.profiles.gathering import Write, in_transaction
from profile_lookup.profiles.ingest import Outcome, ingest_together
from profile_lookup.stores.admission import Store, admit

AT_ONCE = 2
"""Transactions of one store: the one is resolved while PostgreSQL writes the other."""
MAX_TOGETHER = 64
MAX_WAITING = 2048  # of one store
LONGEST_WAIT = 5.0  # seconds, for one's turn


class _Asked(NamedTuple):
    credentials: Credentials
    read: Callable[[Store], Change]
    requested_at: datetime
    give_up_at: float
    answer: "asyncio.Future[UUID]"

    def settle(self, outcome: UUID | Exception) -> None:
        if self.answer.done():  # nobody waits for it any more
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


@dataclass
class _Queue:
    waiting: deque[_Asked] = field(default_factory=deque)
    at_work: int = 0
    is_about_to_take: bool = False


class GroupIngest:
    """Writes on behalf of all requests of a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._queues: dict[str, _Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ingest(
        self, credentials: Credentials, store_id: str, read: Callable[[Store], Change], requested_at: datetime
    ) -> UUID:
        """As `profiles.ingest.ingest`, of nobody known, if the caller is admitted. Raises what `admit` does as well."""
        queue = self._queues.setdefault(store_id, _Queue())
        if len(queue.waiting) >= MAX_WAITING:
            raise Unavailable("too many writes wait for each other")
        give_up_at = self._loop.time() + LONGEST_WAIT
        asked = _Asked(credentials, read, requested_at, give_up_at, self._loop.create_future())
        queue.waiting.append(asked)
        if queue.at_work < AT_ONCE and not queue.is_about_to_take:
            queue.at_work += 1
            queue.is_about_to_take = True
            task = self._loop.create_task(self._work_off(store_id, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await asked.answer

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for queue in self._queues.values():
            for asked in queue.waiting:
                asked.settle(Unavailable())

    async def _work_off(self, store_id: str, queue: _Queue) -> None:
        queue.is_about_to_take = False
        try:
            while queue.waiting:
                await self._write_or_tell(store_id, self._take(queue))
        finally:
            queue.at_work -= 1
            if not queue.at_work and not queue.waiting:
                del self._queues[store_id]

    def _take(self, queue: _Queue) -> list[_Asked]:
        group = [queue.waiting.popleft() for _ in range(min(MAX_TOGETHER, len(queue.waiting)))]
        for asked in group:
            if asked.give_up_at < self._loop.time():
                asked.settle(Unavailable("too many writes wait for each other"))
        return [asked for asked in group if not asked.answer.done()]

    async def _write_or_tell(self, store_id: str, group: list[_Asked]) -> None:
        try:
            await self._write(store_id, group)
        except BaseException as error:  # whatever it is, those who wait must hear of it
            for asked in group:
                asked.settle(error if isinstance(error, Exception) else Unavailable())
            if not isinstance(error, Exception):
                raise

    async def _write(self, store_id: str, group: list[_Asked]) -> None:
        store: Store | None = None
        for caller in {asked.credentials for asked in group}:
            try:
                store = await admit(self._database, caller, store_id, "full")
            except ProfileLookupError as refusal:
                for asked in group:
                    if asked.credentials == caller:
                        asked.settle(refusal)
        rest = [asked for asked in group if not asked.answer.done()]
        while rest and store is not None:
            outcomes = await self._write_those_that_fit(store, rest)
            for asked, outcome in zip(rest, outcomes, strict=False):
                asked.settle(outcome.profile_id if isinstance(outcome, Written) else outcome)
            rest = rest[len(outcomes) :]

    async def _write_those_that_fit(self, store: Store, group: list[_Asked]) -> list[Written | Exception]:
        """What came of as many as fit in a transaction, in order; of all, if one of them meets a defect of ours."""

        def prepare(store: Store) -> Write[list[Outcome]]:
            attempts = [(_attempt(asked, store), asked.requested_at) for asked in group]
            return partial(ingest_together, store=store, attempts=attempts)

        try:
            return [*await in_transaction(self._database, store, prepare)]
        except ProfileLookupError:
            raise
        except Exception as defect:  # noqa: BLE001 -- whoever met it is told
            if len(group) == 1:
                return [defect]
            # Each is written alone, then, and only the one with the defect fails.
            return [outcome for asked in group for outcome in await self._write_those_that_fit(store, [asked])]


def _attempt(asked: _Asked, store: Store) -> Change | ProfileLookupError:
    try:
        return asked.read(store)
    except ProfileLookupError as refusal:
        return refusal
