"""Normalizes a store's values anew when our rules, or the tables that they use, have a newer version.

Each store keeps the version by which its values were made. A worker that starts with a newer one queues an operation
for each such store; lookups and writes find values in their earlier forms meanwhile (`identity/former_values.py`).
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.pool import Database
from profile_lookup.database.shared_by import shared_by
from profile_lookup.database.tables import identifier
from profile_lookup.database.tables import store as store_table
from profile_lookup.errors import ValueRefused
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.profile_replay import Written
from profile_lookup.identity.values.normalization_version import CURRENT, NormalizationVersion
from profile_lookup.ingest.committed_writes import note_committed
from profile_lookup.ingest.identity_locks import write_in_step
from profile_lookup.jobs.rewritten_values import Held, Stored, rewrite_shared, rewrite_unique
from profile_lookup.operations.job import Job
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queue import enqueue
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


@dataclass(frozen=True, slots=True)
class _Position:
    """The last identifier that the operation has come to, and how many values it has kept on the way.

    It is held in memory alone, since a value must not be in `operation.progress`. The next worker begins anew, finds
    what the one before it has changed, and counts the kept values again.
    """

    id_type: str = ""
    value: str = ""
    shared_by: bytes = b""
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
        position, written = await write_in_step(job, partial(_renormalize_after, job, position))
        note_committed(job.store_id, written)


async def _begin(job: Job) -> None:
    """Wait for the writes under way. From now on, an older process takes the store back before it writes."""
    async with job.step() as connection:
        store = await lock_rules(connection, job.account_id, job.store_id)
        await begin_renormalization(connection, store)


async def _renormalize_after(
    job: Job, position: _Position, connection: AsyncConnection, store: StoreRules
) -> tuple[_Position | None, Sequence[Written]]:
    """Normalize the next values anew, and return the position after them, or None at the end, and what was written."""
    stored = await _stored_after(connection, store, position)
    changes, position = _next_changes(store, stored, position)
    counts = {name: job.progress.get(name, 0) for name in ("changed", "merged")} | {"kept": position.kept}
    written: Sequence[Written] = ()
    if not stored:
        await _complete(job, connection, store, counts)
        return None, written
    if changes and store.settings.is_unique(position.id_type):
        written = await rewrite_unique(connection, store, changes, counts, job.actor)
    elif changes:
        await rewrite_shared(connection, store, changes, counts, job.actor)
        if changes[-1].stored.identifier.value == position.value:
            # It may have more holders. The next step begins before all of them, since a merge may move the value from
            # one of them to an earlier profile.
            position = replace(position, shared_by=b"")
    await job.save(connection, **counts)
    return replace(position, kept=counts["kept"]), written


def _next_changes(store: StoreRules, stored: Iterable[Stored], position: _Position) -> tuple[Sequence[Held], _Position]:
    """Return the identifiers that have another form today, as far as one step rewrites them, and the position there.

    They are of one type, so that a step locks all profiles in their order.
    """
    changes: list[Held] = []
    for each in stored:
        if len(changes) == CHANGES_PER_STEP or (changes and each.identifier.id_type != position.id_type):
            break
        last_key = shared_by(store.settings, each.identifier.id_type, each.profile_id)
        position = _Position(*each.identifier, last_key, position.kept)
        try:
            today = store.settings.normalize(Identifier(*each.identifier))
        except ValueRefused:
            position = replace(position, kept=position.kept + 1)
            continue
        if today != each.identifier:
            is_blocked = store.blocked_values.block(store.settings, today) is not None
            changes.append(Held(each, None if is_blocked else today))
    return changes, position


async def _complete(job: Job, connection: AsyncConnection, store: StoreRules, counts: dict[str, int]) -> None:
    """Complete the operation, and have the values removed that this version blocks: its lists may be longer."""
    fields = {"store": ids.store_id(store.id), "operation": ids.operation_id(job.id), **counts}
    store = await lock_rules(connection, store.account_id, store.id)
    if store.renormalized_by == CURRENT:
        await complete_renormalization(connection, store, counts["kept"])
    else:
        log.warning("an older version wrote meanwhile", extra=fields)
    kind = OperationKind.UPDATE_BLOCKED_VALUES
    await enqueue(connection, store.account_id, store.id, kind=kind, job_input={})
    await job.save(connection, **counts)
    await job.complete(connection, ids.store_id(store.id))
    log.info("values were normalized anew", extra=fields)


async def _stored_after(connection: AsyncConnection, store: StoreRules, position: _Position) -> list[Stored]:
    """Return the next stored identifiers, in the order of the primary key, of types that are normalized at all."""
    kinds = [config.id_type for config in store.settings.identifier_configs if config.normalization != "none"]
    key = (identifier.c.id_type, identifier.c.value, identifier.c.shared_by)
    query = (
        select(identifier.c.id_type, identifier.c.value, identifier.c.profile_id, identifier.c.added_at)
        .where(identifier.c.store_id == store.id, identifier.c.id_type.in_(kinds))
        .where(tuple_(*key) > tuple_(position.id_type, position.value, position.shared_by))
        .order_by(*key)
        .limit(VALUES_PER_STEP)
    )
    rows = (await connection.execute(query)).all()
    return [Stored(NormalizedIdentifier(row.id_type, row.value), row.profile_id, row.added_at) for row in rows]
