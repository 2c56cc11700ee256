"""Lookups that arrive together are answered together.

They use their own connection, with prepared statements. While it is idle, a lookup is run together with those of the
same turn of the event loop. While the connection is busy, lookups queue up, and then up to 64 of them are run in one
statement: the busier the service is, the less each lookup costs. If a statement takes longer than 5 ms, a second
connection takes over. See docs/decisions/0013-lookups-together-and-lean.md; `ingest/group_ingest.py` does the same for
creates.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from profile_lookup.database.single_queries.busy_poll import BusyPoll
from profile_lookup.errors import Unavailable
from profile_lookup.lookup.lookup_connection import LookupConnection
from profile_lookup.lookup.waiting_lookup import Batch, Rows, WaitingLookup, WaitingLookups, settle_each
from profile_lookup.metrics.catalogue import LOOKUPS_TOGETHER

CONNECTIONS = 2  # one in use, and one to take over when it is slow
SLOW = 0.005  # seconds; when a statement takes longer, another may be run beside it
MAX_WAITING = 2048
"""Some tenths of a second of work. If so many wait, the database has stopped answering, and others are refused."""
DEADLINE = 5.0  # seconds, from the lookup's arrival to its answer


class LookupQueue:
    """Runs the lookups that it is given over its connections. `add` refuses them if too many wait."""

    def __init__(self, connections: Sequence[LookupConnection], busy_poll: BusyPoll) -> None:
        self._loop = asyncio.get_running_loop()
        self._connections = connections
        self._idle = [*connections]
        self._under_way: dict[LookupConnection, float] = {}
        """The connections that run a statement, each with the time when it began."""
        self._waiting = WaitingLookups()
        self.is_store_by_store = False
        """Whether the database is distributed, so that each statement must be of one store. A connection notices it."""
        self._store_under_way: dict[LookupConnection, int] = {}
        """The number of the ID of the store whose lookups a connection runs then."""
        self._busy_poll = busy_poll
        self._is_closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_full(self) -> bool:
        """Whether so many lookups wait that another one is refused."""
        return self._waiting.count >= MAX_WAITING

    def add(self, waiting: WaitingLookup) -> None:
        """Run the lookup, and call its `settle` once, not before this returns. Raises `Unavailable` if too many wait.

        If `is_gone` returns true when the lookup's turn comes, it is not run, and its outcome is `Unavailable`. That is
        also the outcome if there is no connection, or if the deadline has passed.
        """
        if self._waiting.count >= MAX_WAITING:
            raise Unavailable("too many lookups are waiting")
        self._waiting.add(waiting)
        if self._timer is None:
            self._timer = self._loop.call_later(SLOW, self._check_waiting)
        self._run_waiting()

    async def close(self) -> None:
        """Answer `Unavailable` to all lookups that still wait, and close the connections."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.sleep(0)  # a task that is cancelled before it begins would answer nobody
        self._waiting.refuse_all()  # before any connection is released, so that nothing more is run
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self._connections:
            await connection.close()

    def _may_run(self) -> bool:
        """Return whether a statement may be run now: only one at a time, as long as statements are quick.

        On Citus, each store may have one under way.
        """
        if not self._under_way:
            return True
        if self.is_store_by_store:
            return bool(self._idle) and self._waiting.has_others_than(self._busy_stores())
        is_one_left = bool(self._idle) and len(self._under_way) < CONNECTIONS
        return is_one_left and max(self._under_way.values()) <= self._loop.time() - SLOW

    def _take_connection(self) -> LookupConnection:
        connection = self._idle.pop()
        self._under_way[connection] = self._loop.time()
        return connection

    def _release_connection(self, connection: LookupConnection) -> None:
        """Run the next lookups that wait, if any. They need not wait for the next turn of the loop."""
        del self._under_way[connection]
        self._store_under_way.pop(connection, None)
        self._idle.append(connection)
        if self._waiting.count and self._may_run():
            self._run_batch(self._take_connection())

    def _run_waiting(self) -> None:
        """Run the lookups that wait, unless a statement is under way that is not slow.

        The statement is run in the next turn of the loop, so lookups that arrive in this turn share it.
        """
        if self._waiting.count and self._may_run():
            self._loop.call_soon(self._run_batch, self._take_connection())

    def _run_batch(self, connection: LookupConnection) -> None:
        """Run one statement, without a task if it is prepared. When it ends, the next one is run if lookups wait."""
        batch = self._next_batch(connection)
        if not batch:
            self._release_connection(connection)
            return
        LOOKUPS_TOGETHER.of().add(len(batch))
        try:
            self._busy_poll.start()
            if not connection.begin(batch, self._time_left(batch), partial(self._settle_batch, connection, batch)):
                self._fetch_in_task(connection, batch)
        except Exception as error:  # noqa: BLE001 -- whatever it is, all that wait must get an answer
            settle_each(batch, error)
            self._release_connection(connection)

    def _settle_batch(self, connection: LookupConnection, batch: Batch, rows: Rows | None) -> None:
        if rows is None and not self._is_closed:
            self._fetch_in_task(connection, batch)
            return
        self._busy_poll.stop()
        settle_each(batch, Unavailable() if rows is None else rows)
        self._release_connection(connection)

    def _fetch_in_task(self, connection: LookupConnection, batch: Batch) -> None:
        """Run a batch whose statement is not prepared, or whose connection was lost."""
        task = self._loop.create_task(self._fetch(connection, batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self, connection: LookupConnection, batch: Batch) -> None:
        try:
            rows = await connection.fetch(batch, self._time_left(batch))
            self._busy_poll.stop()
        except BaseException as error:  # whatever it is, all that wait must get an answer
            settle_each(batch, error if isinstance(error, Exception) else Unavailable())
            if not isinstance(error, Exception):
                raise
        else:
            settle_each(batch, rows)
        finally:
            self._release_connection(connection)

    def _time_left(self, batch: Batch) -> float:
        return min([waiting.arrived_at for waiting in batch]) + DEADLINE - self._loop.time()

    def _check_waiting(self) -> None:
        """Refuse lookups whose deadline has passed, and run the others beside a statement that is slow."""
        self._timer = None
        self._waiting.refuse_before(self._loop.time() - DEADLINE)
        self._run_waiting()
        if self._waiting.count:
            self._timer = self._loop.call_later(SLOW, self._check_waiting)

    def _next_batch(self, connection: LookupConnection) -> list[WaitingLookup]:
        """Take the lookups for the next statement on this connection, which may not be open yet."""
        if connection.takes_several_stores:
            return self._waiting.next_batch()
        if connection.takes_several_stores is False:
            self.is_store_by_store = True
        batch = self._waiting.next_batch_of_one_caller(self._busy_stores())
        if batch and self.is_store_by_store:
            self._store_under_way[connection] = batch[0].caller[1].int
        return batch

    def _busy_stores(self) -> set[int]:
        """Return the stores that have a statement under way which is not slow."""
        slow = self._loop.time() - SLOW
        return {store for each, store in self._store_under_way.items() if self._under_way[each] > slow}
