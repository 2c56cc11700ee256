"""The items of an operation in SQL: the inputs that are handled one by one, and the outcome of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.keyset import Key
from profile_lookup.database.tables import operation_item
from profile_lookup.operations.job import Job


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """The outcome of an item: the canonical profile at that time, or the error by which the item failed."""

    outcome: Literal["created", "updated", "merged", "failed"]
    profile_id: UUID | None = None
    error_code: int | None = None
    error_detail: str | None = None


async def stage(connection: AsyncConnection, account_id: UUID, operation_id: UUID, inputs: Sequence[str]) -> None:
    """Save the inputs of an operation, in this order. They may hold personal data, so each is kept until it is done."""
    await connection.execute(_STAGE, {"account_id": account_id, "operation_id": operation_id, "inputs": list(inputs)})


_STAGE = text("""
    insert into operation_item (account_id, operation_id, position, input)
    select :account_id, :operation_id, item.number - 1, item.input
    from unnest(cast(:inputs as text[])) with ordinality as item (input, number)
""")


async def staged(connection: AsyncConnection, job: Job, first: int, count: int) -> list[str]:
    """Return at most `count` inputs, from position `first` on."""
    query = (
        select(operation_item.c.input)
        .where(
            operation_item.c.account_id == job.account_id,
            operation_item.c.operation_id == job.id,
            operation_item.c.position >= first,
        )
        .order_by(operation_item.c.position)
        .limit(count)
    )
    return list((await connection.execute(query)).scalars())


def results_of(account_id: UUID, operation_id: UUID) -> Select[tuple[int, str, UUID | None, int | None, str | None]]:
    """Return the query for the outcomes of the items that are done."""
    return select(
        operation_item.c.position,
        operation_item.c.outcome,
        operation_item.c.profile_id,
        operation_item.c.error_code,
        operation_item.c.error_detail,
    ).where(
        operation_item.c.account_id == account_id,
        operation_item.c.operation_id == operation_id,
        operation_item.c.outcome.is_not(None),
    )


RESULTS_KEY = Key((operation_item.c.position,))


async def record(connection: AsyncConnection, job: Job, first: int, outcomes: Sequence[ItemOutcome]) -> None:
    """Save the outcomes of the items from position `first` on, and delete their inputs."""
    await connection.execute(
        _RECORD,
        {
            "account_id": job.account_id,
            "operation_id": job.id,
            "positions": list(range(first, first + len(outcomes))),
            "outcomes": [result.outcome for result in outcomes],
            "profile_ids": [result.profile_id for result in outcomes],
            "error_codes": [result.error_code for result in outcomes],
            "error_details": [result.error_detail for result in outcomes],
        },
    )


_RECORD = text("""
    update operation_item
    set input = null,
        outcome = result.outcome,
        profile_id = result.profile_id,
        error_code = result.error_code,
        error_detail = result.error_detail
    from unnest(
        cast(:positions as integer[]), cast(:outcomes as text[]), cast(:profile_ids as uuid[]),
        cast(:error_codes as integer[]), cast(:error_details as text[])
    ) as result (position, outcome, profile_id, error_code, error_detail)
    where operation_item.account_id = :account_id
        and operation_item.operation_id = :operation_id
        and operation_item.position = result.position
""")
