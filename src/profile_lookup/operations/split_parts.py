"""The results of a split that is an operation, in SQL: the profiles that it leaves, or would leave.

They hold no values but count them, because they are kept for days and a value may be removed meanwhile.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.keyset import Key
from profile_lookup.database.tables import split_part
from profile_lookup.operations.job import Job


class SplitPart(NamedTuple):
    """A profile that a split leaves. `identifier_counts` are by type. `is_new`: no profile had its ID before."""

    profile_id: UUID
    is_new: bool
    identifier_counts: Mapping[str, int]


async def record(connection: AsyncConnection, job: Job, parts: Sequence[SplitPart]) -> None:
    """Save the parts in this order."""
    await connection.execute(
        _RECORD,
        {
            "account_id": job.account_id,
            "operation_id": job.id,
            "profile_ids": [each.profile_id for each in parts],
            "are_new": [each.is_new for each in parts],
            "counts": [json.dumps(each.identifier_counts) for each in parts],
        },
    )


_RECORD = text("""
    insert into split_part (account_id, operation_id, position, profile_id, is_new, identifier_counts)
    select :account_id, :operation_id, part.number - 1, part.profile_id, part.is_new, cast(part.counts as jsonb)
    from unnest(cast(:profile_ids as uuid[]), cast(:are_new as boolean[]), cast(:counts as text[]))
        with ordinality as part (profile_id, is_new, counts, number)
""")


def results_of(account_id: UUID, operation_id: UUID) -> Select[Any]:
    """Return the query for the parts. There are none before the operation has ended."""
    return select(
        split_part.c.position, split_part.c.profile_id, split_part.c.is_new, split_part.c.identifier_counts
    ).where(split_part.c.account_id == account_id, split_part.c.operation_id == operation_id)


RESULTS_KEY = Key((split_part.c.position,))
