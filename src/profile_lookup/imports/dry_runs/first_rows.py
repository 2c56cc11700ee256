"""The first rows of a file, as an import would resolve them at this moment. Nothing is written or locked."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.citus.statements import in_store
from profile_lookup.errors import ProfileLookupError
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.imports.files.csv_records import Record
from profile_lookup.imports.row_reader import next_rows
from profile_lookup.imports.row_results import RowResults
from profile_lookup.imports.row_rules import RowRules
from profile_lookup.ingest.attempts import Attempt, Outcome, resolve_together
from profile_lookup.ingest.identity_locks import identifying
from profile_lookup.ingest.locked_profiles import profiles_with
from profile_lookup.stores.rules_cache import StoreRules

MAX_PREVIEWED = 100
"""Rows. There are fewer if these have more identifiers than a step of an import takes."""

RowOutcome = Literal["create", "update", "merge", "refused"]
_OUTCOMES: dict[str, RowOutcome] = {"created": "create", "updated": "update", "merged": "merge"}


@dataclass(frozen=True, slots=True)
class PreviewedRow:
    """What would become of the row that begins in this line. `remarks`: why it is refused, or its ignored cells."""

    line: int
    outcome: RowOutcome
    remarks: Sequence[str]


async def preview_rows(
    connection: AsyncConnection, store: StoreRules, row_rules: RowRules, records: Iterator[Record]
) -> list[PreviewedRow]:
    """Return what would become of the first rows, each after those before it. The connection is in a snapshot.

    Raises `TraitsRefused` if the mapping does not fit the store's traits.
    """
    rows = list(next_rows(islice(records, MAX_PREVIEWED), row_rules.reader(store)))
    readings = [row.reading for row in rows]
    attempts = [Attempt(reading.attempt, CLOCK.now()) for reading in readings]
    resolved = await resolve_together(store, attempts, partial(_candidates, connection, store))
    results = RowResults(store, row_rules.mapping, rows, readings, resolved.outcomes)
    remarks: dict[int, list[str]] = {row.line: [] for row in rows}
    for line, column, reason in (*results.refused(), *results.ignored()):
        remarks[line].append(reason if column is None else f"{column}: {reason}")
    return [
        PreviewedRow(row.line, _outcome(outcome), remarks[row.line])
        for row, outcome in zip(rows, resolved.outcomes, strict=False)
    ]


def _outcome(outcome: Outcome) -> RowOutcome:
    return "refused" if isinstance(outcome, ProfileLookupError) else _OUTCOMES[outcome.how]


async def _candidates(
    connection: AsyncConnection, store: StoreRules, requests: Iterable[Iterable[NormalizedIdentifier]]
) -> list[Profile]:
    """Return the profiles that `lock_and_gather` would return, without any lock."""
    unique, shared = identifying(store.settings, requests)
    parameters = {
        "store_id": store.id,
        "id_types": [each.id_type for each in unique],
        "values": [each.value for each in unique],
        "shared_types": [each.id_type for _, each in shared],
        "shared_values": [each.value for _, each in shared],
        "shared_requests": [request for request, _ in shared],
    }
    profile_ids = await connection.scalar(_DECIDING_HOLDERS, parameters)
    return await profiles_with(connection, store, sorted(set(profile_ids)))


_DECIDING_HOLDERS = in_store(
    "preview_holders",
    """
    select deciding_holders(
        :store_id, cast(:id_types as text[]), cast(:values as text[]), null,
        cast(:shared_types as text[]), cast(:shared_values as text[]), cast(:shared_requests as integer[])
    ) as holders
""",
)
