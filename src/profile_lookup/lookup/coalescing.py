"""Lookups that arrive together are answered together.

They use their own connection, with prepared statements. While it is idle, a lookup is run together with those of the
same turn of the event loop. While the connection is busy, lookups queue up, and then up to 64 of them are run in one
statement: the busier the service is, the less each lookup costs. If a statement takes longer than 5 ms, a second
connection takes over. See docs/decisions/0013-lookups-together-and-lean.md; `ingest/group_ingest.py` does the same for
creates.
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

CONNECTIONS = 2  # one in use, and one to take over when it is slow
SLOW = 0.005  # seconds; when a statement takes longer, another may be run beside it
MAX_TOGETHER = 64
MAX_WAITING = 2048
"""Some tenths of a second of work. If so many wait, the database has stopped answering, and others are refused."""
DEADLINE = 5.0  # seconds, from the lookup's arrival to its answer

Caller = tuple[Credentials, UUID]
"""The credentials of a caller, and the store that it looks up in."""

IsGone = Callable[[], bool]
"""Returns whether the client of a request has gone."""


class Found(NamedTuple):
    """`revision` is the revision of the store's rules that were in force."""

    revision: int
    profile_ids: Sequence[UUID]


Settle = Callable[[Found | Exception | None], None]
"""Takes the outcome of a lookup: None if the caller may not look up, and the error if there is one."""


class _Waiting:
    """A lookup that waits for its statement, or for the answer to it."""

    __slots__ = ("arrived_at", "caller", "identifier", "is_gone", "settle")

    def __init__(
        self, caller: Caller, identifier: NormalizedIdentifier, is_gone: IsGone, settle: Settle, arrived_at: float
    ) -> None:
        self.caller = caller
        self.identifier = identifier
        self.is_gone = is_gone
        self.settle = settle
        self.arrived_at = arrived_at


class Lookups:
    """Runs the lookups of all requests of a process."""

    def __init__(self, database_url: str, busy_poll: BusyPoll) -> None:
        self._loop = asyncio.get_running_loop()
        self._connections = [DedicatedConnection(database_url) for _ in range(CONNECTIONS)]
        self._idle = self._connections.copy()
        self._under_way: dict[DedicatedConnection, float] = {}
        """The connections that run a statement, each with the time when it began."""
        self._waiting: OrderedDict[int, deque[_Waiting]] = OrderedDict()
        """The lookups that wait, by the number of their store's ID."""
        self._waiting_count = 0
        self._busy_poll = busy_poll
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_full(self) -> bool:
        """Whether so many lookups wait that another one is refused."""
        return self._waiting_count >= MAX_WAITING

    def begin(self, caller: Caller, identifier: NormalizedIdentifier, is_gone: IsGone, settle: Settle) -> None:
        """Find the profiles with this identifier, earliest first, and call `settle` once with the outcome.

        `settle` is never called before this returns. If `is_gone` returns true when the lookup's turn comes, it is not
        run, and its outcome is `Unavailable`. So it is if there is no connection, or if the deadline has passed. Raises
        `Unavailable` if too many wait.
        """
        if self.is_full:
            raise Unavailable("too many lookups are waiting")
        waiting = _Waiting(caller, identifier, is_gone, settle, self._loop.time())
        store = caller[1].int
        of_store = self._waiting.get(store)
        if of_store is None:
            of_store = self._waiting[store] = deque()
        of_store.append(waiting)
        self._waiting_count += 1
        if self._timer is None:
            self._timer = self._loop.call_later(SLOW, self._check_waiting)
        self._run_waiting()

    async def find(
        self,
        credentials: Credentials,
        store_id: UUID,
        identifier: NormalizedIdentifier,
        is_gone: IsGone | None = None,
    ) -> Found | None:
        """Return what `begin` passes to `settle`, or raise it. Also raises what `begin` raises."""
        outcome: asyncio.Future[Found | None] = self._loop.create_future()

        def settle(found: Found | Exception | None) -> None:
            if outcome.done():  # the request was cancelled
                return
            if isinstance(found, Exception):
                outcome.set_exception(found)
            else:
                outcome.set_result(found)

        def is_unwanted() -> bool:
            return outcome.done() or (is_gone is not None and is_gone())

        self.begin((credentials, store_id), identifier, is_unwanted, settle)
        return await outcome

    async def close(self) -> None:
        """Answer `Unavailable` to all lookups that still wait, and close the connections."""
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.sleep(0)  # a task that is cancelled before it begins would answer nobody
        for of_store in self._waiting.values():
            for waiting in of_store:
                waiting.settle(Unavailable())
        self._waiting.clear()  # before any connection is released, so that nothing more is run
        self._waiting_count = 0
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self._connections:
            await connection.close()

    def _may_run(self) -> bool:
        """Return whether a statement may be run now: only one at a time, as long as statements are quick."""
        if not self._under_way:
            return True
        return bool(self._idle) and max(self._under_way.values()) <= self._loop.time() - SLOW

    def _take_connection(self) -> DedicatedConnection:
        connection = self._idle.pop()
        self._under_way[connection] = self._loop.time()
        return connection

    def _run_waiting(self) -> None:
        """Run the lookups that wait, unless a statement is under way that is not slow.

        The task begins in the next turn of the loop, so lookups that arrive in this turn share the statement.
        """
        if self._waiting_count and self._may_run():
            task = self._loop.create_task(self._run_batches(self._take_connection()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run_batches(self, connection: DedicatedConnection) -> None:
        """Run one statement after the other, until no lookup waits or another statement is under way."""
        while True:
            try:
                if batch := self._next_batch():
                    await self._answer(connection, batch)
            finally:
                del self._under_way[connection]
                self._idle.append(connection)
            if not self._waiting_count or not self._may_run():
                return
            connection = self._take_connection()

    def _check_waiting(self) -> None:
        """Refuse lookups whose deadline has passed, and run the others beside a statement that is slow."""
        self._timer = None
        deadline = self._loop.time() - DEADLINE
        for of_store in self._waiting.values():
            while of_store and of_store[0].arrived_at <= deadline:
                self._waiting_count -= 1
                of_store.popleft().settle(Unavailable())
        self._run_waiting()
        if self._waiting_count:
            self._timer = self._loop.call_later(SLOW, self._check_waiting)

    def _next_batch(self) -> list[_Waiting]:
        """Take lookups of each store in turn, so that a busy store does not delay the others."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < MAX_TOGETHER:
            share = -(-(MAX_TOGETHER - len(batch)) // len(self._waiting))
            store, of_store = self._waiting.popitem(last=False)
            for _ in range(min(share, len(of_store))):
                waiting = of_store.popleft()
                self._waiting_count -= 1
                if waiting.is_gone():
                    waiting.settle(Unavailable("the client has gone"))
                else:
                    batch.append(waiting)
            if of_store:
                self._waiting[store] = of_store
        return batch

    async def _answer(self, connection: DedicatedConnection, batch: list[_Waiting]) -> None:
        try:
            time_left = min([waiting.arrived_at for waiting in batch]) + DEADLINE - self._loop.time()
            self._busy_poll.start()
            found = await _find_all(connection, batch, time_left)
            self._busy_poll.stop()
        except BaseException as error:  # whatever it is, all that wait must get an answer
            for waiting in batch:
                waiting.settle(error if isinstance(error, Exception) else Unavailable())
            if not isinstance(error, Exception):
                raise
        else:
            for waiting, answer in zip(batch, found, strict=True):
                waiting.settle(answer)


async def _find_all(connection: DedicatedConnection, batch: Sequence[_Waiting], time_left: float) -> list[Found | None]:
    """Run the statement that costs least. Usually all lookups have the same caller, who uses one store."""
    caller = batch[0].caller
    credentials, store_id = caller
    if len(batch) == 1:
        rows = await connection.fetch(LOOKUP, (*credentials, store_id, *batch[0].identifier), time_left)
        return [Found(*rows[0]) if rows else None]
    id_types = [waiting.identifier.id_type for waiting in batch]
    values = [waiting.identifier.value for waiting in batch]
    # Callers who were admitted once are the same object, so they are nearly never compared.
    if all([waiting.caller is caller or waiting.caller == caller for waiting in batch]):  # noqa: C419 -- twice as fast
        rows = await connection.fetch(LOOKUPS_OF_ONE_CALLER, (*credentials, store_id, id_types, values), time_left)
        return [Found(*row) for row in rows] or [None] * len(batch)
    callers: dict[Caller, int] = {}
    numbers = [callers.setdefault(waiting.caller, len(callers) + 1) for waiting in batch]
    sids = [credentials.sid for credentials, _ in callers]
    digests = [credentials.secret_sha256 for credentials, _ in callers]
    store_ids = [store_id for _, store_id in callers]
    rows = await connection.fetch(LOOKUPS, (sids, digests, store_ids, numbers, id_types, values), time_left)
    return [None if revision is None else Found(revision, profile_ids) for revision, profile_ids in rows]
