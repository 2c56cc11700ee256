"""Handles the operation that splits a profile with very many events.

All of it is one transaction, so a worker that dies in the middle has changed nothing, and the next one begins anew.
Only writes to this profile wait meanwhile, or all of the store's if values are blocked.
"""

from collections import Counter
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.errors import ProfileMoved
from profile_lookup.history.split_request import SplitRequest, staged_split
from profile_lookup.history.splits import Undo
from profile_lookup.identity.history.splitting import Part
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.ingest.identity_locks import write_in_step
from profile_lookup.operations.job import Job
from profile_lookup.operations.split_parts import SplitPart, record
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids


async def split_profile(job: Job) -> None:
    """Split the profile, and record what is left of it.

    Raises what `Undo` raises, or `StoreNotFound`; nothing has changed then.
    """
    async with job.step() as connection:
        profile_id, request = await staged_split(connection, job)
    while True:
        try:
            return await _split(job, profile_id, request, set())
        except ProfileMoved as moved:  # its events belong to the profile that it has merged into
            profile_id = moved.canonical_id


async def _split(job: Job, profile_id: UUID, request: SplitRequest, returning: set[NormalizedIdentifier]) -> None:
    async def write(connection: AsyncConnection, store: StoreRules) -> None:
        undo = Undo.of(store, profile_id, request, CLOCK.now())
        done = await undo.write(connection, await undo.lock(connection, returning), returning)
        await record(connection, job, [_result_of(part) for part in done.parts])
        result_id = ids.profile_id(profile_id) if request.is_dry_run else ids.event_id(done.id)
        await job.complete(connection, result_id)

    await write_in_step(job, write, job.long_step)


def _result_of(part: Part) -> SplitPart:
    counts = Counter(each.id_type for each in part.profile.identifiers)
    return SplitPart(part.profile.id, part.is_new, counts)
