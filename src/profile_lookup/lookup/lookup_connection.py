"""The connections that run batches of lookups."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from profile_lookup.database.single_queries.dedicated_connection import DedicatedConnection
from profile_lookup.lookup.coalesced_statement import CoalescedStatement, Found, decoded_row
from profile_lookup.lookup.waiting_lookup import Batch, Rows

SettleRows = Callable[[Rows | None], None]
"""Takes what a batch found, or None if the connection was lost."""


class LookupConnection(Protocol):
    """Runs one batch at a time."""

    @property
    def takes_several_stores(self) -> bool | None:
        """Whether a batch may have lookups of several stores; None while that is not known."""

    def begin(self, batch: Batch, time_left: float, settle: SettleRows) -> bool:
        """Run a batch without a task, and call `settle` once, not before this returns.

        Return False if a statement is not prepared. Then, and after None, call `fetch`.
        """

    async def fetch(self, batch: Batch, time_left: float) -> Rows:
        """Run a batch and return what each lookup found. Raises `Unavailable`."""

    async def close(self) -> None: ...


class StatementConnection:
    """Runs a batch as one statement. If the database is distributed, a batch must be of one caller and store."""

    def __init__(self, connection: DedicatedConnection) -> None:
        self._connection = connection

    @property
    def takes_several_stores(self) -> bool | None:
        is_distributed = self._connection.is_distributed
        return None if is_distributed is None else not is_distributed

    def begin(self, batch: Batch, time_left: float, settle: SettleRows) -> bool:
        statement = statement_of(batch)
        found = partial(_settle, statement, settle)
        return self._connection.begin(statement.sql, statement.parameters, time_left, decoded_row, found)

    async def fetch(self, batch: Batch, time_left: float) -> Rows:
        statement = statement_of(batch)
        rows = await self._connection.fetch(statement.sql, statement.arguments, time_left)
        return statement.found([None if row[0] is None else Found(*row) for row in rows])

    async def close(self) -> None:
        await self._connection.close()


def statement_of(batch: Batch) -> CoalescedStatement:
    return CoalescedStatement.of([each.caller for each in batch], [each.identifier for each in batch])


def _settle(statement: CoalescedStatement, settle: SettleRows, rows: Rows | None) -> None:
    settle(None if rows is None else statement.found(rows))
