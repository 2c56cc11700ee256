"""The lookups of all requests of a process, which are run together by `lookup_queue.py`.

On Citus, a second way leads to the node of a store (`node_lookups.py`).
"""

import asyncio
from uuid import UUID

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.single_queries.busy_poll import BusyPoll
from profile_lookup.database.standbys.routed_connection import lookup_connection
from profile_lookup.database.standbys.standbys import Standbys
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.lookup.coalesced_statement import Caller, Found
from profile_lookup.lookup.lookup_connection import StatementConnection
from profile_lookup.lookup.lookup_queue import LookupQueue
from profile_lookup.lookup.node_lookups import NodeLookups
from profile_lookup.lookup.waiting_lookup import IsGone, Settle, WaitingLookup

CONNECTIONS_TO_CITUS = 8
"""Each runs the statement of one store. Of plain PostgreSQL, only as many are opened as `lookup_queue.CONNECTIONS`."""


class Lookups:
    """Runs the lookups of all requests of a process."""

    def __init__(self, database_url: str, busy_poll: BusyPoll, standbys: Standbys | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        connections = [lookup_connection(database_url, standbys) for _ in range(CONNECTIONS_TO_CITUS)]
        self._queue = LookupQueue([StatementConnection(each) for each in connections], busy_poll)
        self._of_nodes = NodeLookups(database_url, busy_poll, self._queue)

    @property
    def is_full(self) -> bool:
        """Whether so many lookups wait that another one is refused."""
        return self._queue.is_full

    def begin(self, caller: Caller, identifier: NormalizedIdentifier, is_gone: IsGone, settle: Settle) -> None:
        """Find the profiles with this identifier, earliest first, and call `settle` once with the outcome.

        `settle` is never called before this returns. If `is_gone` returns true when the lookup's turn comes, it is not
        run, and its outcome is `Unavailable`. So it is if there is no connection, or if the deadline has passed. Raises
        `Unavailable` if too many wait.
        """
        waiting = WaitingLookup(caller, identifier, is_gone, settle, self._loop.time())
        if not (self._queue.is_store_by_store and self._of_nodes.begin(waiting)):
            self._queue.add(waiting)

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
        await self._of_nodes.close()
        await self._queue.close()
