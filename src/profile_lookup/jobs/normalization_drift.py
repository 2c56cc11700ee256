"""Normalizes a store's values anew when our rules, or the tables that they use, have a newer version.

Each store keeps the version by which its values were made. A worker that starts with a newer one queues an operation
for each such store; lookups and writes find values in their earlier forms meanwhile (`identity/former_values.py`).
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import identifier
from profile_lookup.database.tables import store as store_table
from profile_lookup.errors import IdentifierConflict, ValueRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.profile_replay import Difference, ProfileReplay
from profile_lookup.identity.values.normalization_version import CURRENT, NormalizationVersion
from profile_lookup.ingest.identity_locks import lock_and_gather, write_in_step
from profile_lookup.ingest.writes import write
from profile_lookup.operations.job_worker import Job
from profile_lookup.stores.normalization import (
    begin_renormalization,
    complete_renormalization,
    queue_renormalization,
    set_normalization,
)
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.web import ids

VALUES_PER_STEP = 500
CHANGES_PER_STEP = 100  # each takes two locks, of today's form and of the earlier one
NEWER_WORKER_DELAY = timedelta(minutes=1)

log = logging.getLogger(__name__)


async def queue_renormalizations(database: Database) -> None:
    """Queue the operation for each store whose values were made by an older version. Raises `Unavailable`.

    If a store's version is a newer one, this process is the older: it neither queues nor rewrites. But from now on
    values of both forms may be stored, so the store gets this version: the newer process queues at its next start.
    """
    async with database.transaction() as connection:
        other_stores = select(
            store_table.c.account_id, store_table.c.id, store_table.c.normalization, store_table.c.kept_values
        ).where(store_table.c.status == "ACTIVE", store_table.c.normalization != CURRENT.to_document())
        for row in (await connection.execute(other_stores)).all():
            version = NormalizationVersion.from_document(row.normalization)
            if CURRENT.is_newer_than(version):
                await queue_renormalization(connection, row.account_id, row.id)
            else:
                log.warning("a newer version normalized this store", extra={"store": ids.store_id(row.id)})
                await set_normalization(connection, row.account_id, row.id, CURRENT, row.kept_values)


class _Held(NamedTuple):
    """A stored identifier, and what it is today."""

    profile_id: UUID
    stored: NormalizedIdentifier
    today: NormalizedIdentifier
    added_at: datetime


async def renormalize_values(job: Job) -> None:
    """Handle the operation. Values that today's rules would refuse, or that may not be shared, are kept as they are.

    Raises `StoreNotFound`; what was done before is done.
    """
    if NormalizationVersion.from_document(job.input["version"]).is_newer_than(CURRENT):
        await job.defer(NEWER_WORKER_DELAY)
        return
    if not job.progress:
        await _begin(job)
    while await write_in_step(job, lambda connection, store: _renormalize_next(job, connection, store)):
        pass


async def _begin(job: Job) -> None:
    """Wait for the writes under way. From now on, an older process takes the store back before it writes."""
    async with job.step() as connection:
        store = await lock_rules(connection, job.account_id, job.store_id)
        await begin_renormalization(connection, store.account_id, store.id)
        await job.save(connection, changed=0, merged=0, kept=0)


async def _renormalize_next(job: Job, connection: AsyncConnection, store: StoreRules) -> bool:
    """Return whether there may be more to do."""
    counts = {name: job.progress.get(name, 0) for name in ("changed", "merged", "kept")}
    rows = await _stored_after(connection, store, job.progress.get("after"))
    if not rows:
        await _end(connection, store, counts["kept"])
        await job.complete(connection, ids.store_id(store.id))
        log.info("values were normalized anew", extra={"store": ids.store_id(store.id), **counts})
        return False
    changes: list[_Held] = []
    for last, row in enumerate(rows):  # noqa: B007 -- it is where the next step goes on
        stored = NormalizedIdentifier(row.id_type, row.value)
        try:
            today = store.settings.normalize(Identifier(*stored))
        except ValueRefused:
            counts["kept"] += 1
            continue
        if today != stored:
            changes.append(_Held(row.profile_id, stored, today, row.added_at))
        if len(changes) == CHANGES_PER_STEP:
            break
    unique = [each for each in changes if store.settings.is_unique(each.stored.id_type)]
    await _rewrite_unique(connection, store, unique, counts)
    for each in changes:
        if not store.settings.is_unique(each.stored.id_type):
            await _rewrite_shared(connection, store, each, counts)
    done = rows[last]
    await job.save(connection, after=[done.id_type, done.value, str(done.profile_id)], **counts)
    return True


async def _end(connection: AsyncConnection, store: StoreRules, kept: int) -> None:
    """Store that the values are of this version, unless an older process may have added others meanwhile."""
    store = await lock_rules(connection, store.account_id, store.id)
    if store.renormalized_by == CURRENT:
        await complete_renormalization(connection, store, kept)
    else:
        log.warning("an older version wrote meanwhile", extra={"store": ids.store_id(store.id)})


async def _stored_after(connection: AsyncConnection, store: StoreRules, after: list[str] | None) -> Sequence[Any]:
    """Return the next stored identifiers, in the order of the primary key, of types that are normalized at all."""
    kinds = [config.id_type for config in store.settings.identifier_configs if config.normalization != "none"]
    key = (identifier.c.id_type, identifier.c.value, identifier.c.profile_id)
    query = (
        select(*key, identifier.c.added_at)
        .where(identifier.c.store_id == store.id, identifier.c.id_type.in_(kinds))
        .order_by(*key)
        .limit(VALUES_PER_STEP)
    )
    if after is not None:
        id_type, value, profile_id = after
        query = query.where(tuple_(*key) > tuple_(id_type, value, UUID(profile_id)))
    return (await connection.execute(query)).all()


async def _rewrite_unique(
    connection: AsyncConnection, store: StoreRules, held: Sequence[_Held], counts: dict[str, int]
) -> None:
    """Give each holder today's form; profiles that hold the same one by now are one person."""
    if not held:
        return
    forms = [form for each in held for form in (each.stored, each.today)]
    profiles = await lock_and_gather(connection, store, [forms])
    replay = ProfileReplay(store.settings, profiles, new_id)
    for each in held:
        for profile_id in list(replay.holders(each.stored)):
            change = Change((each.today,), replaced=each.stored)
            try:
                written = replay.apply(change, each.added_at, profile_id)
            except IdentifierConflict:  # somebody else has it, and it may neither be shared nor merge the two
                counts["kept"] += 1
            else:
                counts["changed"] += 1
                counts["merged"] += written.how == "merged"
    await write(connection, store.settings, store.id, replay.difference())


async def _rewrite_shared(connection: AsyncConnection, store: StoreRules, held: _Held, counts: dict[str, int]) -> None:
    """Give the holder today's form, of a type whose values are shared: this alone merges nobody."""
    (profile,) = await lock_and_gather(connection, store, known=held.profile_id)
    if held.stored not in profile.identifiers:
        return  # a write has changed it meanwhile
    times = [profile.identifiers[each] for each in (held.stored, held.today) if each in profile.identifiers]
    difference = Difference(
        upserted_identifiers=[(profile.id, held.today, min(times))], deleted_identifiers=[(profile.id, held.stored)]
    )
    await write(connection, store.settings, store.id, difference)
    counts["changed"] += 1
