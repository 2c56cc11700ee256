"""Lookups that arrive together are answered together.

They have a connection of their own, with prepared statements. A lookup that finds it idle is run at once; if there are
others, it is run with those of the same turn of the event loop. While the connection is busy lookups queue up, and then
up to 64 of them are run in one statement: the busier the service is, the less each lookup costs. If a statement takes
longer than 5 ms, a second connection takes over. See docs/decisions/0013-lookups-together-and-lean.md;
`ingest/group_ingest.py` does the same for creates.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.busy_poll import BusyPoll
from profile_lookup.database.dedicated_connection import DedicatedConnection
from profile_lookup.errors import Unavailable
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.lookup.queries import LOOKUP, LOOKUPS, LOOKUPS_OF_ONE_CALLER

CONNECTIONS = 2  # one to use, and one to take over from it
SLOW = 0.005  # seconds that a statement takes before others are run beside it
MAX_TOGETHER = 64
MAX_WAITING = 2048
"""Some tenths of a second of work; when so many wait, the database has stopped answering, and others are refused."""
DEADLINE = 5.0  # seconds, from the lookup's arrival to its answer

Caller = tuple[Credentials, UUID]
"""The credentials of a caller, and the store that it looks up in."""

Lookup = tuple[Caller, NormalizedIdentifier]

IsGone = Callable[[], bool]
"""Tells whether the client of a request has gone."""


class Found(NamedTuple):
    """`revision` is that of the store's rules that were in force."""

    revision: int
    profile_ids: Sequence[UUID]


class _Waiting(NamedTuple):
    lookup: Lookup
    is_gone: IsGone | None
    arrived_at: float
    answer: "asyncio.Future[Found | None]"

    def settle(self, outcome: Found | Exception | None) -> None:
        if self.answer.done():  # the request was cancelled, or it was answered that it takes too long
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)

    def is_wanted(self) -> bool:
        if self.is_gone is not None and self.is_gone():
            self.settle(Unavailable("the client has gone"))
        return not self.answer.done()


class Lookups:
    """Runs the lookups of all requests of a process."""

    def __init__(self, database_url: str, busy_poll: BusyPoll) -> None:
        self._loop = asyncio.get_running_loop()
        self._connections = [DedicatedConnection(database_url) for _ in range(CONNECTIONS)]
        self._idle = self._connections.copy()
        self._under_way: dict[DedicatedConnection, float] = {}
        """The connections that run a statement, and since when."""
        self._waiting: OrderedDict[UUID, deque[_Waiting]] = OrderedDict()
        self._waiting_count = 0
        self._has_company = False
        """Whether others came while the last lone lookup was under way."""
        self._busy_poll = busy_poll
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def find(
        self,
        credentials: Credentials,
        store_id: UUID,
        identifier: NormalizedIdentifier,
        is_gone: IsGone | None = None,
    ) -> Found | None:
        """Return the profiles with this identifier, earliest first; None if the caller may not look up.

        If the client has gone when the lookup's turn comes, it is not run. Raises `Unavailable` if there is no
        connection, too many wait, or the deadline has passed.
        """
        caller = credentials, store_id
        if self._waiting_count or not self._may_run():
            return await self._queue((caller, identifier), is_gone)
        connection = self._take_connection()
        try:
            if self._has_company:
                await asyncio.sleep(0)  # lookups that arrive in the same turn of the loop are not run one by one
            if not self._waiting_count:
                self._busy_poll.start()
                found = await _find_one(connection, (caller, identifier), DEADLINE)
                self._busy_poll.stop()
                return found
            answer = self._queue((caller, identifier), is_gone)
        finally:
            self._has_company = self._waiting_count > 0
            self._release(connection)
        return await answer

    async def close(self) -> None:
        """Answer all that still wait that the service is unavailable."""
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.sleep(0)  # a task that had not begun would answer nobody
        for of_store in self._waiting.values():
            for waiting in of_store:
                waiting.settle(Unavailable())
        self._waiting.clear()  # before a connection is free: nothing is run any more
        self._waiting_count = 0
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self._connections:
            await connection.close()

    def _may_run(self) -> bool:
        """Return whether a connection may be used: one at a time, as long as statements are quick."""
        if not self._under_way:
            return True
        return bool(self._idle) and max(self._under_way.values()) <= self._loop.time() - SLOW

    def _take_connection(self) -> DedicatedConnection:
        connection = self._idle.pop()
        self._under_way[connection] = self._loop.time()
        return connection

    def _release(self, connection: DedicatedConnection) -> None:
        del self._under_way[connection]
        self._idle.append(connection)
        self._run_next_batch()

    def _queue(self, lookup: Lookup, is_gone: IsGone | None) -> "asyncio.Future[Found | None]":
        if self._waiting_count >= MAX_WAITING:
            raise Unavailable("too many lookups are waiting")
        waiting = _Waiting(lookup, is_gone, self._loop.time(), self._loop.create_future())
        (_, store_id), _ = lookup
        self._waiting.setdefault(store_id, deque()).append(waiting)
        self._waiting_count += 1
        if self._timer is None:
            self._timer = self._loop.call_later(SLOW, self._check_waiting)
        return waiting.answer

    def _check_waiting(self) -> None:
        """Give up lookups whose deadline has passed; run the others beside a statement that is slow."""
        self._timer = None
        deadline = self._loop.time() - DEADLINE
        for of_store in self._waiting.values():
            while of_store and of_store[0].arrived_at <= deadline:
                self._waiting_count -= 1
                of_store.popleft().settle(Unavailable())
        self._run_next_batch()
        if self._waiting_count:
            self._timer = self._loop.call_later(SLOW, self._check_waiting)

    def _run_next_batch(self) -> None:
        if self._waiting_count and self._may_run() and (batch := self._next_batch()):
            task = self._loop.create_task(self._answer(self._take_connection(), batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next_batch(self) -> list[_Waiting]:
        """Take lookups of each store in turn, so that a busy store does not hold up the others."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < MAX_TOGETHER:
            share = -(-(MAX_TOGETHER - len(batch)) // len(self._waiting))
            store_id, of_store = self._waiting.popitem(last=False)
            for _ in range(min(share, len(of_store))):
                waiting = of_store.popleft()
                self._waiting_count -= 1
                if waiting.is_wanted():
                    batch.append(waiting)
            if of_store:
                self._waiting[store_id] = of_store
        return batch

    async def _answer(self, connection: DedicatedConnection, batch: list[_Waiting]) -> None:
        try:
            time_left = min(waiting.arrived_at for waiting in batch) + DEADLINE - self._loop.time()
            self._busy_poll.start()
            found = await _find_all(connection, [waiting.lookup for waiting in batch], time_left)
            self._busy_poll.stop()
        except BaseException as error:  # whatever it is, all that wait must get an answer
            for waiting in batch:
                waiting.settle(error if isinstance(error, Exception) else Unavailable())
            if not isinstance(error, Exception):
                raise
        else:
            for waiting, answer in zip(batch, found, strict=True):
                waiting.settle(answer)
        finally:
            self._release(connection)


async def _find_one(connection: DedicatedConnection, lookup: Lookup, time_left: float) -> Found | None:
    (credentials, store_id), identifier = lookup
    rows = await connection.fetch(LOOKUP, (*credentials, store_id, *identifier), time_left)
    return Found(*rows[0]) if rows else None


async def _find_all(connection: DedicatedConnection, lookups: Sequence[Lookup], time_left: float) -> list[Found | None]:
    """Run the statement that costs the least: mostly there is one caller, who uses one store."""
    if len(lookups) == 1:
        return [await _find_one(connection, lookups[0], time_left)]
    callers: dict[Caller, int] = {}
    numbers = [callers.setdefault(caller, len(callers) + 1) for caller, _ in lookups]
    id_types = [identifier.id_type for _, identifier in lookups]
    values = [identifier.value for _, identifier in lookups]
    if len(callers) > 1:
        sids = [credentials.sid for credentials, _ in callers]
        digests = [credentials.secret_sha256 for credentials, _ in callers]
        store_ids = [store_id for _, store_id in callers]
        rows = await connection.fetch(LOOKUPS, (sids, digests, store_ids, numbers, id_types, values), time_left)
        return [None if revision is None else Found(revision, profile_ids) for revision, profile_ids in rows]
    ((credentials, store_id),) = callers
    rows = await connection.fetch(LOOKUPS_OF_ONE_CALLER, (*credentials, store_id, id_types, values), time_left)
    return [Found(*row) for row in rows] or [None] * len(lookups)
