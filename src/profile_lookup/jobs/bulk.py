"""Handles the operation that writes a batch of profiles: each as if created alone, in the request's order."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.errors import ProfileLookupError, RowRefused, TraitsRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.profile_replay import Written
from profile_lookup.ingest.attempts import Attempt, Outcome, time_after
from profile_lookup.ingest.committed_writes import note_committed
from profile_lookup.ingest.identity_locks import write_in_step
from profile_lookup.ingest.ingest import change_of, ingest_together
from profile_lookup.operations import items
from profile_lookup.operations.job import Job
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids
from profile_lookup.web.contract import code_of, message_of

PROFILES_PER_STEP = 200
"""A step takes about ten milliseconds: the longest that other writes of the same identifiers wait for it."""


async def update_profiles_bulk(job: Job) -> None:
    """Write the profiles of a batch. One that fails does not keep the others from being written.

    Raises `StoreNotFound`; the steps before that stay done.
    """

    async def write_next(connection: AsyncConnection, store: StoreRules) -> Sequence[Outcome]:
        """Write the next profiles, and return their outcomes; there are none at the end."""
        done: int = job.progress.get("done", 0)
        inputs = await items.staged(connection, job, done, PROFILES_PER_STEP)
        if not inputs:
            await job.complete(connection, ids.store_id(store.id))
            return ()
        attempts: list[Attempt] = []

        def read_attempts() -> Iterator[Attempt]:
            """Yield them one by one, since only a few fit in a transaction if they have very many values."""
            time = datetime.fromisoformat(job.progress["time"] if done else job.input["requested_at"])
            for each in inputs:
                attempts.append(Attempt(_change_or_refusal(store, each), time, job.actor))
                yield attempts[-1]
                time = time_after(attempts[-1])

        outcomes = await ingest_together(connection, store, read_attempts())
        await items.record(connection, job, done, [_item_outcome(outcome) for outcome in outcomes])
        time = time_after(attempts[len(outcomes) - 1])
        await job.save(connection, done=done + len(outcomes), time=time.isoformat())
        return outcomes

    while outcomes := await write_in_step(job, write_next):
        note_committed(job.store_id, outcomes)


def _change_or_refusal(store: StoreRules, sent: str) -> Change | ProfileLookupError:
    try:
        return change_of(store, json.loads(sent))
    except ProfileLookupError as refused:
        return refused


def _item_outcome(outcome: Outcome) -> items.ItemOutcome:
    if isinstance(outcome, Written):
        return items.ItemOutcome(outcome.how, outcome.profile_id)
    refused = RowRefused(None, str(outcome)) if isinstance(outcome, TraitsRefused) else outcome
    return items.ItemOutcome("failed", error_code=code_of(refused), error_detail=message_of(refused))
