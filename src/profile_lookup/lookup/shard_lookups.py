"""Runs lookups of several stores on the node that has them: one statement for each shard, all in one round trip."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from profile_lookup.database.citus.places import Place
from profile_lookup.database.citus.shard_connection import ShardConnection
from profile_lookup.errors import Unavailable
from profile_lookup.lookup.coalesced_statement import CoalescedStatement, Found, decoded_row
from profile_lookup.lookup.lookup_connection import SettleRows, statement_of
from profile_lookup.lookup.waiting_lookup import Batch, Rows, Settle, WaitingLookup


class PlacedLookup(WaitingLookup):
    """A lookup whose store has this place."""

    __slots__ = ("place",)

    def __init__(self, waiting: WaitingLookup, place: Place, settle: Settle) -> None:
        super().__init__(waiting.caller, waiting.identifier, waiting.is_gone, settle, waiting.arrived_at)
        self.place = place


class _Part(NamedTuple):
    """The lookups of one shard. `positions` are those that they have in the batch."""

    sql: str
    statement: CoalescedStatement
    positions: Sequence[int]


class ShardLookups:
    """Runs batches of placed lookups over a connection to their node."""

    takes_several_stores = True

    def __init__(self, connection: ShardConnection) -> None:
        self._connection = connection

    def begin(self, batch: Batch, time_left: float, settle: SettleRows) -> bool:
        parts = _parts(batch)
        return self._begin(parts, time_left, partial(_settle, parts, len(batch), settle))

    async def fetch(self, batch: Batch, time_left: float) -> Rows:
        """Prepare what is not prepared, and run the batch. Raises `Unavailable`, also if the connection is not open."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + time_left
        parts = _parts(batch)
        await self._connection.prepare_all([part.sql for part in parts], time_left)
        outcome: asyncio.Future[Rows | None] = loop.create_future()

        def settle(rows: Rows | None) -> None:
            if not outcome.done():  # the service is stopping
                outcome.set_result(rows)

        is_begun = self._begin(parts, deadline - loop.time(), partial(_settle, parts, len(batch), settle))
        rows = await outcome if is_begun else None
        if rows is None:
            raise Unavailable
        return rows

    async def close(self) -> None:
        await self._connection.close()

    def _begin(self, parts: Sequence[_Part], time_left: float, settle: Callable[[list[Any] | None], None]) -> bool:
        statements = [(part.sql, part.statement.parameters) for part in parts]
        return self._connection.begin_all(statements, time_left, decoded_row, settle)


def _parts(batch: Batch) -> Sequence[_Part]:
    """Return the lookups of each shard, with the statement for them."""
    of_places: dict[Place, list[int]] = {}
    for position, waiting in enumerate(cast("Sequence[PlacedLookup]", batch)):
        of_places.setdefault(waiting.place, []).append(position)
    parts = []
    for place, positions in of_places.items():
        statement = statement_of([batch[position] for position in positions])
        parts.append(_Part(place.statement(statement.sql), statement, positions))
    return parts


def _settle(parts: Sequence[_Part], count: int, settle: SettleRows, rows_of_parts: Sequence[Rows] | None) -> None:
    """Call `settle` with what each lookup of the batch found, in the batch's order."""
    if rows_of_parts is None:
        settle(None)
        return
    found: list[Found | None] = [None] * count
    for part, rows in zip(parts, rows_of_parts, strict=True):
        for position, row in zip(part.positions, part.statement.found(rows), strict=True):
            found[position] = row
    settle(found)
