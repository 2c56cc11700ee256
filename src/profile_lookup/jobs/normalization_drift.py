"""Normalizes a store's values anew when our rules, or the tables that they use, have a newer version.

Each store keeps the version by which its values were made. A worker that starts with a newer one queues an operation
for each such store; lookups and writes find values in their earlier forms meanwhile (`identity/former_values.py`).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import identifier
from profile_lookup.database.tables import store as store_table
from profile_lookup.errors import IdentifierConflict, ProfileMoved, ProfileNotFound, ValueRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.difference import Difference
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.profile_replay import ProfileReplay
from profile_lookup.identity.renormalization import rewritten
from profile_lookup.identity.values.normalization_version import CURRENT, NormalizationVersion
from profile_lookup.ingest.identity_locks import lock_and_gather, with_names, write_in_step
from profile_lookup.ingest.writes import write
from profile_lookup.operations.job_worker import Job
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queries import enqueue
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


class _Stored(NamedTuple):
    """A stored identifier, who holds it, and since when."""

    identifier: NormalizedIdentifier
    profile_id: UUID
    added_at: datetime


class _Held(NamedTuple):
    """A stored identifier, and what it is today."""

    stored: _Stored
    today: NormalizedIdentifier


@dataclass(frozen=True, slots=True)
class _Position:
    """Where the operation is, and how many values it has kept on the way.

    It is held in memory alone, since a value must not be in `operation.progress`. The next worker begins anew, finds
    what the one before it has changed, and counts the kept values again.
    """

    after: _Stored | None = None
    kept: int = 0


async def renormalize_values(job: Job) -> None:
    """Handle the operation. Values that today's rules would refuse, or that may not be shared, are kept as they are.

    Its result is how many values were changed and kept, and how many profiles merged. Raises `StoreNotFound`; what was
    done before is done.
    """
    if NormalizationVersion.from_document(job.input["version"]).is_newer_than(CURRENT):
        await job.defer(NEWER_WORKER_DELAY)
        return
    await _begin(job)
    position: _Position | None = _Position()
    while position is not None:
        position = await write_in_step(job, partial(_renormalize_after, job, position))


async def _begin(job: Job) -> None:
    """Wait for the writes under way. From now on, an older process takes the store back before it writes."""
    async with job.step() as connection:
        store = await lock_rules(connection, job.account_id, job.store_id)
        await begin_renormalization(connection, store)


async def _renormalize_after(
    job: Job, position: _Position, connection: AsyncConnection, store: StoreRules
) -> _Position | None:
    """Normalize the next values anew, and return the position after them, or None after the last value."""
    counts = {name: job.progress.get(name, 0) for name in ("changed", "merged")} | {"kept": position.kept}
    stored = await _stored_after(connection, store, position)
    if not stored:
        await _complete(job, connection, store, counts)
        return None
    changes: list[_Held] = []
    for row in stored:
        position = replace(position, after=row)
        try:
            today = store.settings.normalize(Identifier(*row.identifier))
        except ValueRefused:
            counts["kept"] += 1
            continue
        if today != row.identifier:
            changes.append(_Held(row, today))
        if len(changes) == CHANGES_PER_STEP:
            break
    unique = [each for each in changes if store.settings.is_unique(each.today.id_type)]
    await _rewrite_unique(connection, store, unique, counts)
    for each in changes:
        if not store.settings.is_unique(each.today.id_type):
            await _rewrite_shared(connection, store, each, counts)
    await job.save(connection, **counts)
    return replace(position, kept=counts["kept"])


async def _complete(job: Job, connection: AsyncConnection, store: StoreRules, counts: dict[str, int]) -> None:
    """Complete the operation. Some of the changed values may be blocked as they are written now."""
    fields = {"store": ids.store_id(store.id), "operation": ids.operation_id(job.id), **counts}
    store = await lock_rules(connection, store.account_id, store.id)
    if store.renormalized_by == CURRENT:
        await complete_renormalization(connection, store, counts["kept"])
    else:
        log.warning("an older version wrote meanwhile", extra=fields)
    if counts["changed"]:
        kind = OperationKind.UPDATE_BLOCKED_VALUES
        await enqueue(connection, store.account_id, store.id, kind=kind, job_input={})
    await job.save(connection, **counts)
    await job.complete(connection, ids.store_id(store.id))
    log.info("values were normalized anew", extra=fields)


async def _stored_after(connection: AsyncConnection, store: StoreRules, position: _Position) -> list[_Stored]:
    """Return the next stored identifiers, in the order of the primary key, of types that are normalized at all."""
    kinds = [config.id_type for config in store.settings.identifier_configs if config.normalization != "none"]
    key = (identifier.c.id_type, identifier.c.value, identifier.c.profile_id)
    query = (
        select(*key, identifier.c.added_at)
        .where(identifier.c.store_id == store.id, identifier.c.id_type.in_(kinds))
        .order_by(*key)
        .limit(VALUES_PER_STEP)
    )
    if position.after is not None:
        query = query.where(tuple_(*key) > tuple_(*position.after.identifier, position.after.profile_id))
    rows = (await connection.execute(query)).all()
    return [_Stored(NormalizedIdentifier(row.id_type, row.value), row.profile_id, row.added_at) for row in rows]


async def _rewrite_unique(
    connection: AsyncConnection, store: StoreRules, held: Sequence[_Held], counts: dict[str, int]
) -> None:
    """Give each holder today's form; profiles that hold the same one by now are one person."""
    if not held:
        return
    forms = [form for each in held for form in (each.stored.identifier, each.today)]
    profiles = await with_names(connection, store, await lock_and_gather(connection, store, [forms]))
    replay = ProfileReplay(store.settings, profiles, new_id)
    for each in held:
        stored = each.stored.identifier
        for profile_id in list(replay.holders(stored)):
            change, former = Change((each.today,)), {stored: each.today}
            try:
                written = replay.apply(change, each.stored.added_at, profile_id, former)
            except IdentifierConflict:  # somebody else has it, and it may neither be shared nor merge the two
                counts["kept"] += 1
            else:
                counts["changed"] += 1
                counts["merged"] += written.how == "merged"
    await write(connection, store.settings, store.id, replay.difference())


async def _rewrite_shared(connection: AsyncConnection, store: StoreRules, held: _Held, counts: dict[str, int]) -> None:
    """Give the holder today's form, of a type whose values are shared: this alone merges nobody."""
    stored = held.stored.identifier
    profile = await _locked_holder(connection, store, held.stored.profile_id)
    if profile is None or stored not in profile.identifiers:
        return  # a write has changed it meanwhile
    became = rewritten(profile, {stored: held.today})
    difference = Difference(
        upserted_identifiers=[(profile.id, held.today, became.identifiers[held.today])],
        deleted_identifiers=[(profile.id, stored)],
        names={(profile.id, held.today): became.names[held.today]} if held.today in became.names else {},
    )
    await write(connection, store.settings, store.id, difference)
    counts["changed"] += 1


async def _locked_holder(connection: AsyncConnection, store: StoreRules, profile_id: UUID) -> Profile | None:
    """Lock and return the profile, or the one that it was merged into meanwhile; None if it was erased."""
    try:
        (profile,) = await with_names(connection, store, await lock_and_gather(connection, store, known=profile_id))
    except ProfileMoved as moved:
        return await _locked_holder(connection, store, moved.canonical_id)
    except ProfileNotFound:
        return None
    return profile
