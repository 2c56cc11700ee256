"""The work of the operation that writes a batch of profiles: each as if created on its own, in the request's order."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.errors import ProfileLookupError
from profile_lookup.identity.change import Change
from profile_lookup.identity.profile_replay import Written
from profile_lookup.ingest.identity_locks import in_step
from profile_lookup.ingest.ingest import Attempt, Outcome, change_of, ingest_together
from profile_lookup.operations import items
from profile_lookup.operations.job_worker import Job
from profile_lookup.stores.rules_cache import Store
from profile_lookup.web import ids
from profile_lookup.web.contract import code_of, message_of

UPDATE_PROFILES_BULK = "UPDATE_PROFILES_BULK"
"""Its items are the profiles' traits as they were sent; `requested_at` is the time of the first of them."""

CHUNK = 200
"""Profiles at a time: some ten milliseconds, in which others wait for no more than these."""


async def update_profiles_bulk(job: Job) -> None:
    """Raises `StoreNotFound`; what was done before is done. One profile that fails does not hold up the others."""

    async def do_next(connection: AsyncConnection, store: Store) -> bool:
        """Whether there was anything to do."""
        done: int = job.progress.get("done", 0)
        inputs = await items.staged(connection, job, done, CHUNK)
        if not inputs:
            await job.complete(connection, ids.store_id(store.id))
            return False
        attempts: list[Attempt] = []

        def in_turn() -> Iterator[Attempt]:
            """Read one by one: of profiles with very many values only a few fit in a transaction."""
            time = datetime.fromisoformat(job.progress["time"] if done else job.input["requested_at"])
            for each in inputs:
                attempts.append((_change_or_refusal(store, each), time))
                yield attempts[-1]
                time = time_after(attempts[-1])

        outcomes = await ingest_together(connection, store, in_turn())
        await items.record(connection, job, done, [_result(outcome) for outcome in outcomes])
        time = time_after(attempts[len(outcomes) - 1])
        await job.save(connection, done=done + len(outcomes), time=time.isoformat())
        return True

    while await in_step(job, do_next):
        pass


def _change_or_refusal(store: Store, sent: str) -> Change | ProfileLookupError:
    try:
        return change_of(store, json.loads(sent))
    except ProfileLookupError as refused:
        return refused


def time_after(attempt: Attempt) -> datetime:
    """The values of one request count in its order, each a microsecond later: so do the profiles of a batch."""
    change, requested_at = attempt
    return requested_at + timedelta(microseconds=max(1, len(change.incoming)) if isinstance(change, Change) else 1)


def _result(outcome: Outcome) -> items.Result:
    if isinstance(outcome, Written):
        return items.Result(outcome.how, outcome.profile_id)
    return items.Result("failed", error_code=code_of(outcome), error_detail=message_of(outcome))
