"""Lets requests wait for the next event of a store's feed.

All requests of a process that wait for the same store share one poll. It runs four times a second while anybody waits,
and holds a connection only for its query. Nothing runs while nobody waits.
"""

import asyncio
from uuid import UUID

from profile_lookup.database.pool import Database
from profile_lookup.errors import Unavailable
from profile_lookup.history.feed import advance_feed
from profile_lookup.history.feed_order import Position

POLL_INTERVAL = 0.25  # seconds

_Waiting = dict[asyncio.Future[None], Position]
"""The requests that wait for events of one store, each with the end of the feed that it knows."""


class FeedWaits:
    """`ending` is set when the process closes its connections. Then nobody waits any longer.

    While it begins to stop and still serves, requests wait as before: who got an empty page at once would ask again at
    once.
    """

    def __init__(self, database: Database, ending: asyncio.Event) -> None:
        self._database = database
        self._ending = ending
        self._waiting: dict[UUID, _Waiting] = {}
        self._polls: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return sum(len(of_store) for of_store in self._waiting.values())

    @property
    def polls(self) -> int:
        """How many stores are polled."""
        return len(self._polls)

    async def wait(self, store_id: UUID, known_end: Position, seconds: float) -> None:
        """Return once the feed no longer ends at `known_end`, after so many seconds, or when the process ends."""
        waiting = self._waiting.get(store_id)
        if waiting is None:
            waiting = self._waiting[store_id] = {}
            poll = asyncio.create_task(self._poll(store_id, waiting))
            self._polls.add(poll)
            poll.add_done_callback(self._polls.discard)
        waiter = asyncio.get_running_loop().create_future()
        waiting[waiter] = known_end
        try:
            await asyncio.wait([waiter], timeout=seconds)
        finally:
            waiting.pop(waiter, None)

    async def close(self) -> None:
        for poll in self._polls:
            poll.cancel()
        await asyncio.gather(*self._polls, return_exceptions=True)

    async def _poll(self, store_id: UUID, waiting: _Waiting) -> None:
        """Poll as long as anybody waits. At the end, also after a failure, release all who still wait."""
        try:
            while waiting and not self._ending.is_set():
                await self._look(store_id, waiting)
                await asyncio.sleep(POLL_INTERVAL)
        finally:
            del self._waiting[store_id]
            _release(waiting)

    async def _look(self, store_id: UUID, waiting: _Waiting) -> None:
        try:
            end = await advance_feed(self._database, store_id)
        except Unavailable:  # whoever still waits at the end reads the feed, and answers that
            return
        _release({waiter: known for waiter, known in waiting.items() if known != end})


def _release(waiting: _Waiting) -> None:
    for waiter in waiting:
        if not waiter.done():
            waiter.set_result(None)
