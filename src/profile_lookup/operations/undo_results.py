"""The results of the undo of an import in SQL."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.keyset import Key
from profile_lookup.database.tables import undo_result
from profile_lookup.identity.history.import_undo import Outcome
from profile_lookup.operations.job import Job


class UndoResult(NamedTuple):
    """What became of these profiles, and why they are not what they were, if they are not."""

    outcome: Outcome
    profile_ids: Sequence[UUID]
    reason: str | None = None


async def record(connection: AsyncConnection, job: Job, first: int, results: Sequence[UndoResult]) -> None:
    """Save results from position `first` on."""
    await connection.execute(
        _RECORD,
        {
            "account_id": job.account_id,
            "operation_id": job.id,
            "positions": list(range(first, first + len(results))),
            "outcomes": [each.outcome for each in results],
            "profile_ids": [f"{{{','.join(map(str, each.profile_ids))}}}" for each in results],
            "reasons": [each.reason for each in results],
        },
    )


_RECORD = text("""
    insert into undo_result (account_id, operation_id, position, outcome, profile_ids, reason)
    select :account_id, :operation_id, done.position, done.outcome, cast(done.profile_ids as uuid[]), done.reason
    from unnest(
        cast(:positions as integer[]), cast(:outcomes as text[]), cast(:profile_ids as text[]), cast(:reasons as text[])
    ) as done (position, outcome, profile_ids, reason)
""")


def results_of(account_id: UUID, operation_id: UUID) -> Select[Any]:
    """Return the query for the results so far."""
    return select(undo_result.c.position, undo_result.c.outcome, undo_result.c.profile_ids, undo_result.c.reason).where(
        undo_result.c.account_id == account_id, undo_result.c.operation_id == operation_id
    )


async def first_reasons(
    connection: AsyncConnection, account_id: UUID, operation_id: UUID, limit: int
) -> Sequence[Row[Any]]:
    """Return the first results that have a reason."""
    query = results_of(account_id, operation_id).where(undo_result.c.reason.is_not(None))
    found: Sequence[Row[Any]] = (await connection.execute(query.order_by(undo_result.c.position).limit(limit))).all()
    return found


RESULTS_KEY = Key((undo_result.c.position,))
