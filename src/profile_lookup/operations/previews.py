"""The results of a preview of settings in SQL.

They hold no values but hashes, because they are kept for days and a value may be removed meanwhile. A value is found
again among the identifiers of the result's profiles, or of those that they were merged into.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import settings_of
from profile_lookup.database.keyset import Key
from profile_lookup.database.tables import preview_result
from profile_lookup.errors import IdentifierRefused
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.settings_changes.settings_preview import Outcome
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.operations.job import Job

MAX_PROFILES = 100
"""The most profiles that a result names; it counts all."""

MAX_COMPARED = 10_000
"""With how many stored values a page is compared, or with those of one result. Each has to be normalized."""


@dataclass(frozen=True, slots=True)
class PreviewResult:
    """What would happen to these profiles by a value of this type, of which `form` is the hash."""

    outcome: Outcome
    profile_ids: Sequence[UUID]
    id_type: str
    form: bytes
    reason: str | None = None


def form_hash(operation_id: UUID, identifier: NormalizedIdentifier) -> bytes:
    """Return the hash that stands for a value, in this operation alone."""
    content = f"{identifier.id_type}\0{identifier.value}".encode()
    return blake2b(content, digest_size=16, key=operation_id.bytes).digest()


async def record(connection: AsyncConnection, job: Job, first: int, results: Sequence[PreviewResult]) -> int:
    """Save results from position `first` on, and return the position after them."""
    await connection.execute(
        _RECORD,
        {
            "account_id": job.account_id,
            "operation_id": job.id,
            "positions": list(range(first, first + len(results))),
            "outcomes": [each.outcome for each in results],
            "profile_ids": [f"{{{','.join(map(str, each.profile_ids[:MAX_PROFILES]))}}}" for each in results],
            "profile_counts": [len(each.profile_ids) for each in results],
            "id_types": [each.id_type for each in results],
            "forms": [each.form for each in results],
            "reasons": [each.reason for each in results],
        },
    )
    return first + len(results)


_RECORD = text("""
    insert into preview_result (
        account_id, operation_id, position, outcome, profile_ids, profile_count, id_type, form, reason
    )
    select
        :account_id, :operation_id, found.position, found.outcome, cast(found.profile_ids as uuid[]),
        found.profile_count, found.id_type, found.form, found.reason
    from unnest(
        cast(:positions as integer[]), cast(:outcomes as text[]), cast(:profile_ids as text[]),
        cast(:profile_counts as integer[]), cast(:id_types as text[]), cast(:forms as bytea[]), cast(:reasons as text[])
    ) as found (position, outcome, profile_ids, profile_count, id_type, form, reason)
""")


def results_of(account_id: UUID, operation_id: UUID) -> Select[Any]:
    """Return the query for the results so far."""
    return select(
        preview_result.c.position,
        preview_result.c.outcome,
        preview_result.c.profile_ids,
        preview_result.c.profile_count,
        preview_result.c.id_type,
        preview_result.c.form,
        preview_result.c.reason,
    ).where(preview_result.c.account_id == account_id, preview_result.c.operation_id == operation_id)


RESULTS_KEY = Key((preview_result.c.position,))


async def count_fitting(connection: AsyncConnection, operation: Row[Any], results: Sequence[Row[Any]]) -> int:
    """Return for how many of the results, from the first on, values can be found at once: for one at least."""
    rows = await connection.execute(_COUNT_STORED, _parameters(operation, results))
    stored = {row.position: row.stored for row in rows}
    totals = accumulate(stored.get(each.position, 0) for each in results)
    return max(1, sum(total <= MAX_COMPARED for total in totals)) if results else 0


async def values_of(connection: AsyncConnection, operation: Row[Any], results: Collection[Row[Any]]) -> dict[int, str]:
    """Return the value of each result that is still stored, by the result's position."""
    stored = (await connection.execute(_STORED_VALUES, _parameters(operation, results))).all()
    settings = settings_of(operation.input["settings"])
    # In a thread, since others are to be served meanwhile.
    return await asyncio.to_thread(_matching_values, settings, operation.id, results, stored)


def _parameters(operation: Row[Any], results: Collection[Row[Any]]) -> dict[str, object]:
    return {
        "store_id": operation.store_id,
        "positions": [each.position for each in results for _ in each.profile_ids],
        "profile_ids": [profile_id for each in results for profile_id in each.profile_ids],
        "id_types": [each.id_type for each in results for _ in each.profile_ids],
    }


def _matching_values(
    settings: IdentityResolutionSettings, operation_id: UUID, results: Collection[Row[Any]], stored: Sequence[Row[Any]]
) -> dict[int, str]:
    forms: Mapping[int, bytes] = {each.position: bytes(each.form) for each in results}
    values: dict[int, str] = {}
    for row in stored:
        if row.position not in values:
            for each in _possible_forms(settings, row.id_type, row.value):
                if form_hash(operation_id, each) == forms[row.position]:
                    values[row.position] = each.value
    return values


def _possible_forms(settings: IdentityResolutionSettings, id_type: str, value: str) -> Sequence[NormalizedIdentifier]:
    """Return the form that a stored value would get, and the one that it has."""
    stored = NormalizedIdentifier(id_type, NormalizedValue(value))
    try:
        return (settings.normalize(Identifier(id_type, value)), stored)
    except IdentifierRefused:
        return (stored,)


# The lateral subquery with its offset is one index probe per profile, whatever the planner believes of the tables.
_STORED = """
    from unnest(cast(:positions as integer[]), cast(:profile_ids as uuid[]), cast(:id_types as text[]))
        as sought (position, profile_id, id_type)
    left join alias on alias.store_id = :store_id and alias.id = sought.profile_id
    cross join lateral (
        select i.id_type, i.value from identifier i
        where i.store_id is not distinct from :store_id
            and i.profile_id = coalesce(alias.profile_id, sought.profile_id) and i.id_type = sought.id_type
        offset 0
    ) known
"""
_STORED_VALUES = text(f"select sought.position, known.id_type, known.value {_STORED}")
_COUNT_STORED = text(f"select sought.position, count(*) as stored {_STORED} group by sought.position")
