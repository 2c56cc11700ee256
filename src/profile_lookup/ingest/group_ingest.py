"""Concurrent creates share a transaction: group commit.

If nothing of its caller is under way, a create is written at once, with those that arrived in the same turn of the
event loop. While one transaction is under way, those that arrive in a few turns share the next one. While two are under
way, others queue up, and the next transaction takes up to 64 of them: the busier the service is, the less each create
costs. See docs/decisions/0018-creates-together.md; `lookup/lookup_queue.py`
does the same for lookups.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.pool import Database
from profile_lookup.errors import ProfileLookupError, Unavailable
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.profile_replay import Written
from profile_lookup.ingest.attempts import Attempt, Outcome
from profile_lookup.ingest.committed_writes import note_committed
from profile_lookup.ingest.identity_locks import Write, write_in_transaction
from profile_lookup.ingest.ingest import ingest, ingest_together
from profile_lookup.stores.admission import Admissions
from profile_lookup.stores.rules_cache import StoreRules

MAX_TRANSACTIONS = 2
"""Concurrent transactions of a caller in a store: while PostgreSQL writes the one, the next is resolved."""
MAX_GROUP_SIZE = 64
MAX_GROUP_BYTES = 16_384  # of request bodies in a group, since nobody else is served while a group is read
MAX_GROUP_KEYS = 128
"""Identifiers of a group: `take_turn` in `database/identity_locks.sql` has eight turns for writes of this size."""
MAX_WAITING = 2048  # requests of a caller in a store
MAX_WAIT = 5.0  # seconds in the queue
TURNS_TO_JOIN = 6
"""Turns of the event loop, while another transaction is under way, in which creates may join the next group.

Clients send their next creates when they get their answers. Without these turns, the first of those creates would often
have a transaction of its own.
"""
SOLO_TURN = 0.1  # seconds that a create that is written alone holds up the queue

LOCK_TIMEOUT = "100ms"  # of a group; whoever is then written alone may wait longer

_Caller = tuple[Credentials, str]
"""The caller's credentials, and the ID of the store as sent."""


@dataclass(eq=False, slots=True)
class _Request:
    read: Callable[[StoreRules], Change]
    size: int
    requested_at: datetime
    actor: Actor
    answer: "asyncio.Future[UUID]"
    timer: asyncio.TimerHandle | None = None

    def settle(self, outcome: UUID | Exception) -> None:
        if self.answer.done():  # the caller does not wait for it any more
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)

    def time_out(self) -> None:
        self.settle(Unavailable("too many writes wait for each other"))


@dataclass(slots=True)
class _Queue:
    waiting: deque[_Request] = field(default_factory=deque)
    under_way: int = 0
    is_about_to_write: bool = False

    async def next_group(self) -> list[_Request]:
        """Return the requests of the next transaction. If another one is under way, more requests may join first."""
        if self.under_way > 1:
            for _ in range(TURNS_TO_JOIN):
                await asyncio.sleep(0)
        return self._take()

    def _take(self) -> list[_Request]:
        group: list[_Request] = []
        size = 0
        while self.waiting and len(group) < MAX_GROUP_SIZE:
            size += self.waiting[0].size
            if group and size > MAX_GROUP_BYTES:
                break
            request = self.waiting.popleft()
            if not request.answer.done():
                group.append(request)
        for request in group:
            if request.timer is not None:
                request.timer.cancel()
        return group


class GroupIngest:
    """Writes the creates of all requests of a process.

    Each caller has a queue for each store, so that nobody waits for a caller who is not admitted, or the other way
    round.
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
        read: Callable[[StoreRules], Change],
        requested_at: datetime,
        size: int = 0,
    ) -> UUID:
        """Admit the caller and create a profile, as `ingest.ingest` does without a known one; raise what either raises.

        `size`: bytes of the request's body.
        """
        caller = credentials, store_id
        queue = self._queues.setdefault(caller, _Queue())
        if len(queue.waiting) >= MAX_WAITING:
            raise Unavailable("too many writes wait for each other")
        request = _Request(read, size, requested_at, credentials.actor, self._loop.create_future())
        request.timer = self._loop.call_later(MAX_WAIT, request.time_out)
        queue.waiting.append(request)
        if queue.under_way < MAX_TRANSACTIONS and not queue.is_about_to_write:
            queue.under_way += 1
            queue.is_about_to_write = True
            self._start(self._write_groups(caller, queue))
        return await request.answer

    async def close(self) -> None:
        """Cancel all writes; requests that still wait get `Unavailable`."""
        await asyncio.sleep(0)  # a task that has not begun could not settle its requests
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for queue in self._queues.values():
            for request in queue.waiting:
                request.settle(Unavailable())

    def _start(self, coroutine: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _write_groups(self, caller: _Caller, queue: _Queue) -> None:
        queue.is_about_to_write = False
        try:
            while group := await queue.next_group():
                with _settling_failures(group):
                    queue.waiting.extendleft(reversed(await self._write(caller, group)))
        finally:
            queue.under_way -= 1
            if not queue.under_way and not queue.waiting:
                del self._queues[caller]

    async def _write(self, caller: _Caller, group: list[_Request]) -> Sequence[_Request]:
        """Settle the requests that fit in one transaction and return the others. If it fails, each is written alone."""
        store = await self._admissions.admit(*caller, "write", cost=0)  # each of its requests was counted before
        if len(group) == 1:
            # It may wait for a lock; later requests need not wait for it.
            await asyncio.wait({self._start_alone(store, group[0])}, timeout=SOLO_TURN)
            return ()
        is_to_commit = False

        def prepare(store: StoreRules) -> Write[list[Outcome]]:
            async def write(connection: AsyncConnection) -> list[Outcome]:
                nonlocal is_to_commit
                attempts = (
                    Attempt(_change_or_refusal(store, request), request.requested_at, request.actor)
                    for request in group
                )
                outcomes = await ingest_together(
                    connection, store, attempts, max_keys=MAX_GROUP_KEYS, lock_timeout=LOCK_TIMEOUT
                )
                is_to_commit = True
                return outcomes

            return write

        try:
            outcomes = await write_in_transaction(self._database, store, prepare)
        except Exception:
            if is_to_commit:  # perhaps it was committed: writing again could undo what others have written since
                raise
            # One of them may wait for a lock. The others and later requests need not wait for it.
            for request in group:
                self._start_alone(store, request)
            return ()
        note_committed(store.id, outcomes)
        for request, outcome in zip(group, outcomes, strict=False):
            request.settle(outcome.profile_id if isinstance(outcome, Written) else outcome)
        return group[len(outcomes) :]

    def _start_alone(self, store: StoreRules, request: _Request) -> "asyncio.Task[None]":
        task = self._start(self._write_alone(store, request))
        task.add_done_callback(lambda _: request.settle(Unavailable()))  # for a task that was cancelled before it began
        return task

    async def _write_alone(self, store: StoreRules, request: _Request) -> None:
        with _settling_failures([request]):
            request.settle(await ingest(self._database, store, request.read, request.requested_at, actor=request.actor))


def _change_or_refusal(store: StoreRules, request: _Request) -> Change | ProfileLookupError:
    try:
        return request.read(store)
    except ProfileLookupError as refusal:
        return refusal


@contextmanager
def _settling_failures(group: list[_Request]) -> Iterator[None]:
    """Settle all requests of the group with whatever error is raised."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 -- each request raises it
        for request in group:
            request.settle(error)
    except BaseException:
        for request in group:
            request.settle(Unavailable())
        raise
