"""On Citus, lookups whose store is on a known node go to that node itself, those of all its stores together.

Without that, the node that the service is connected to would run a function for each store, and Citus would plan that
call and delegate it, each time. Whatever is doubtful still goes that way: lookups of a store whose place is not known
yet, or of a node that cannot be reached, and each lookup that did not find its caller, since its shard may have moved.
See docs/decisions/0075-lookups-on-the-nodes.md.
"""

import asyncio
import logging
from functools import partial
from urllib.parse import urlsplit

from profile_lookup.database.citus.places import Place, Places
from profile_lookup.database.citus.shard_connection import ShardConnection
from profile_lookup.database.single_queries.busy_poll import BusyPoll
from profile_lookup.errors import Unavailable
from profile_lookup.lookup.coalesced_statement import Found
from profile_lookup.lookup.lookup_queue import CONNECTIONS, LookupQueue
from profile_lookup.lookup.shard_lookups import PlacedLookup, ShardLookups
from profile_lookup.lookup.waiting_lookup import WaitingLookup

RETRY_AFTER = 1.0  # seconds until a node that could not be reached is tried again

log = logging.getLogger(__name__)


class NodeLookups:
    """Runs lookups on the nodes of their stores. `others` runs those for which the node has no answer."""

    def __init__(self, database_url: str, busy_poll: BusyPoll, others: LookupQueue) -> None:
        self._busy_poll = busy_poll
        self._others = others
        self._places = Places(database_url)
        self._nodes: dict[str, _Node] = {}

    def begin(self, waiting: WaitingLookup) -> bool:
        """Run the lookup on the node of its store, and settle it, not before this returns.

        Return False if the place of the store is not known yet, or if its node is not reached or has too many lookups.
        """
        place = self._places.known(waiting.caller[1])
        if place is None:
            return False
        node = self._nodes.get(place.node_url)
        if node is None:
            node = self._nodes[place.node_url] = _Node(place.node_url, self._busy_poll, self._places)
        if not node.is_open:
            node.open_soon()
            return False
        if node.queue.is_full:
            return False
        node.queue.add(PlacedLookup(waiting, place, partial(self._settle, waiting, place)))
        return True

    async def close(self) -> None:
        """Answer `Unavailable` to all lookups that still wait, and close the connections."""
        await asyncio.gather(*[node.close() for node in self._nodes.values()])
        await self._places.close()

    def _settle(self, waiting: WaitingLookup, place: Place, found: Found | Exception | None) -> None:
        """Settle the lookup if its caller was found, and otherwise run it once more by `others`."""
        if isinstance(found, Found) or waiting.is_gone():
            waiting.settle(found)
            return
        self._places.forget(waiting.caller[1], place)
        try:
            self._others.add(waiting)
        except Unavailable as error:
            waiting.settle(error)


class _Node:
    """A node, its connections, and the queue of its lookups."""

    def __init__(self, url: str, busy_poll: BusyPoll, places: Places) -> None:
        self._url = url
        self._places = places
        self._loop = asyncio.get_running_loop()
        self._connections = [ShardConnection(url) for _ in range(CONNECTIONS)]
        self.queue = LookupQueue([ShardLookups(each) for each in self._connections], busy_poll)
        self._opening: asyncio.Task[None] | None = None
        self._next_attempt = 0.0
        self._was_reached = True
        parts = urlsplit(url)
        self._name = f"{parts.hostname}:{parts.port}"

    @property
    def is_open(self) -> bool:
        """Whether all connections are open."""
        return all([each.is_open for each in self._connections])  # noqa: C419 -- a generator takes longer

    def open_soon(self) -> None:
        """Open the connections in the background, unless that is under way or has failed a moment ago."""
        if self._opening is None and self._next_attempt <= self._loop.time():
            self._opening = self._loop.create_task(self._open())

    async def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        await self.queue.close()

    async def _open(self) -> None:
        try:
            for connection in self._connections:
                await connection.open()
            self._log(is_reached=True)
        except Unavailable:
            self._next_attempt = self._loop.time() + RETRY_AFTER
            self._places.forget_node(self._url)
            self._log(is_reached=False)
        finally:
            self._opening = None

    def _log(self, *, is_reached: bool) -> None:
        """Log whether the node can be reached, if that has changed."""
        if is_reached and not self._was_reached:
            log.info("node %s is reached again: lookups of its stores go to it", self._name)
        elif self._was_reached and not is_reached:
            log.warning("node %s cannot be reached from here: lookups of its stores take the longer way", self._name)
        self._was_reached = is_reached
