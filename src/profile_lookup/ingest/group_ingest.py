"""Profiles that are created at the same time are written together, in one transaction: group commit.

A create that finds nothing under way of its caller goes at once, with those that arrived in the same turn of the event
loop. While two transactions are under way others queue up, and the next one takes up to 64 of them: the busier the
service is, the less each costs. See docs/decisions/0018-creates-together.md; `coalescing.py` does so for lookups.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.pool import Database
from profile_lookup.errors import ProfileLookupError, Unavailable
from profile_lookup.identity.change import Change
from profile_lookup.identity.profile_replay import Written
from profile_lookup.ingest.identity_locks import Write, in_transaction
from profile_lookup.ingest.ingest import Outcome, ingest, ingest_together
from profile_lookup.stores.admission import Admissions
from profile_lookup.stores.rules_cache import Store

AT_ONCE = 2
"""Transactions of a caller in a store: while PostgreSQL writes the one, the next is resolved."""
MAX_TOGETHER = 64
MAX_BYTES = 16_384  # of their bodies: nobody else is served while a group is read
MAX_WAITING = 2048  # of a caller in a store
LONGEST_WAIT = 5.0  # seconds, for one's turn
TURN_ALONE = 0.1  # seconds that one alone keeps others from their turn

_SHORT_PATIENCE = text("set local lock_timeout = '100ms'")

_Caller = tuple[Credentials, str]
"""Who asks, and the ID of the store as sent."""


@dataclass(eq=False, slots=True)
class _Waiting:
    read: Callable[[Store], Change]
    size: int
    requested_at: datetime
    answer: "asyncio.Future[UUID]"
    timer: asyncio.TimerHandle | None = None

    def settle(self, outcome: UUID | Exception) -> None:
        if self.answer.done():  # nobody waits for it any more
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)

    def give_up(self) -> None:
        self.settle(Unavailable("too many writes wait for each other"))


@dataclass(slots=True)
class _Queue:
    waiting: deque[_Waiting] = field(default_factory=deque)
    at_work: int = 0
    is_about_to_take: bool = False

    def take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self.waiting and len(group) < MAX_TOGETHER:
            size += self.waiting[0].size
            if group and size > MAX_BYTES:
                break
            waiting = self.waiting.popleft()
            if not waiting.answer.done():
                group.append(waiting)
        for waiting in group:
            if waiting.timer is not None:
                waiting.timer.cancel()
        return group


class GroupIngest:
    """Writes on behalf of all requests of a process.

    The queues are of each caller apart: who is not admitted waits for nobody else, and nobody waits for them.
    """

    def __init__(self, database: Database, admissions: Admissions) -> None:
        self._database = database
        self._admissions = admissions
        self._loop = asyncio.get_running_loop()
        self._queues: dict[_Caller, _Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ingest(
        self,
        credentials: Credentials,
        store_id: str,
        read: Callable[[Store], Change],
        requested_at: datetime,
        size: int = 0,
    ) -> UUID:
        """As `profiles.ingest.ingest`, of somebody unknown, after `admit`; raises what either does.

        `size`: of the request's body, in bytes.
        """
        caller = credentials, store_id
        queue = self._queues.setdefault(caller, _Queue())
        if len(queue.waiting) >= MAX_WAITING:
            raise Unavailable("too many writes wait for each other")
        waiting = _Waiting(read, size, requested_at, self._loop.create_future())
        waiting.timer = self._loop.call_later(LONGEST_WAIT, waiting.give_up)
        queue.waiting.append(waiting)
        if queue.at_work < AT_ONCE and not queue.is_about_to_take:
            queue.at_work += 1
            queue.is_about_to_take = True
            self._start(self._work_off(caller, queue))
        return await waiting.answer

    async def close(self) -> None:
        """Whoever waits still is told that the service is unavailable."""
        await asyncio.sleep(0)  # a task that had not begun would tell nobody
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for queue in self._queues.values():
            for waiting in queue.waiting:
                waiting.settle(Unavailable())

    def _start(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work_off(self, caller: _Caller, queue: _Queue) -> None:
        queue.is_about_to_take = False
        try:
            while group := queue.take():
                with _telling(group):
                    queue.waiting.extendleft(reversed(await self._write(caller, group)))
        finally:
            queue.at_work -= 1
            if not queue.at_work and not queue.waiting:
                del self._queues[caller]

    async def _write(self, caller: _Caller, group: list[_Waiting]) -> Sequence[_Waiting]:
        """Settle those that fit in a transaction, and give the others. If it fails, each is written alone."""
        store = await self._admissions.admit(*caller, "full")
        if len(group) == 1:
            # It may wait for a lock: those that come later need not.
            await asyncio.wait({self._start_alone(store, group[0])}, timeout=TURN_ALONE)
            return ()
        is_to_commit = False

        def prepare(store: Store) -> Write[list[Outcome]]:
            async def write(connection: AsyncConnection) -> list[Outcome]:
                nonlocal is_to_commit
                await connection.execute(_SHORT_PATIENCE)
                attempts = ((_change_or_refusal(store, waiting), waiting.requested_at) for waiting in group)
                outcomes = await ingest_together(connection, store, attempts)
                is_to_commit = True
                return outcomes

            return write

        try:
            outcomes = await in_transaction(self._database, store, prepare)
        except Exception:
            if is_to_commit:  # it may have been: to write again could undo what others wrote since
                raise
            # One of them waits for a lock, say. The others need not, nor those that come after them.
            for waiting in group:
                self._start_alone(store, waiting)
            return ()
        for waiting, outcome in zip(group, outcomes, strict=False):
            waiting.settle(outcome.profile_id if isinstance(outcome, Written) else outcome)
        return group[len(outcomes) :]

    def _start_alone(self, store: Store, waiting: _Waiting) -> "asyncio.Task[None]":
        task = self._start(self._write_alone(store, waiting))
        task.add_done_callback(lambda _: waiting.settle(Unavailable()))  # if it was cancelled before it began
        return task

    async def _write_alone(self, store: Store, waiting: _Waiting) -> None:
        with _telling([waiting]):
            waiting.settle(await ingest(self._database, store, waiting.read, waiting.requested_at))


def _change_or_refusal(store: Store, waiting: _Waiting) -> Change | ProfileLookupError:
    try:
        return waiting.read(store)
    except ProfileLookupError as refusal:
        return refusal


@contextmanager
def _telling(group: list[_Waiting]) -> Iterator[None]:
    """Whatever goes wrong, those who wait hear of it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 -- each request tells of it in its own way
        for waiting in group:
            waiting.settle(error)
    except BaseException:
        for waiting in group:
            waiting.settle(Unavailable())
        raise
