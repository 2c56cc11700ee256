"""Handles the operation that removes the identifiers that a store's blocked values block.

The blocked values are in force already, so no write adds such an identifier. A merge may move one to another profile
but leaves its value as it is, so the stored values are read in their order. Where the operation is in this order is
held in memory alone, since a value must not be in `operation.progress`: the next worker begins anew, and finds what the
one before it has left.
"""

import time
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.ingest.locked_profiles import profiles_with
from profile_lookup.ingest.removals import difference_of_removals
from profile_lookup.ingest.writes import write
from profile_lookup.operations.job import Job
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import share_rules
from profile_lookup.web import ids

VALUES_PER_STEP = 500
IDENTIFIERS_PER_STEP = 500
"""A step takes some tens of milliseconds. Only requests about these very profiles wait for it."""
MAX_JUDGING = 0.05  # seconds of a step; patterns may be slow, and the worker does nothing else meanwhile


async def update_blocked_values(job: Job) -> None:
    """Remove the identifiers whose values are blocked now. Raises `StoreNotFound`; what is removed stays so."""
    after: NormalizedIdentifier | None = NormalizedIdentifier("", NormalizedValue(""))
    while after is not None:
        async with job.step() as connection:
            store = await share_rules(connection, job.account_id, job.store_id)
            values = await _next_values(connection, store, after)
            blocked, judged = _blocked_of(store, values)
        while blocked and await _remove_some(job, blocked):
            pass
        after = judged
    async with job.step() as connection:
        await job.complete(connection, ids.store_id(job.store_id))


def _blocked_of(
    store: StoreRules, values: Sequence[NormalizedIdentifier]
) -> tuple[list[NormalizedIdentifier], NormalizedIdentifier | None]:
    """Return the blocked ones of the values, as far as there is time, and the last one that was judged, if any."""
    deadline = time.monotonic() + MAX_JUDGING
    blocked: list[NormalizedIdentifier] = []
    last = None
    for last in values:
        if store.blocked_values.block(store.settings, last):
            blocked.append(last)
        if time.monotonic() > deadline:
            break
    return blocked, last


async def _remove_some(job: Job, blocked: Sequence[NormalizedIdentifier]) -> bool:
    """Remove some of the identifiers that are still blocked, and return whether there were any."""
    async with job.step() as connection:
        store = await share_rules(connection, job.account_id, job.store_id)
        still_blocked = [each for each in blocked if store.blocked_values.block(store.settings, each)]
        holders = await _holders(connection, store, still_blocked)
        if not holders:
            return False
        # Once they are locked, they are read again: a merge may have moved some to a profile that is not locked.
        locked = (await connection.execute(_LOCK, {"store_id": store.id, "profile_ids": holders})).scalars().all()
        held = await _held(connection, store, still_blocked, locked)
        removed: dict[UUID, list[NormalizedIdentifier]] = {}
        for profile_id, each in held:
            removed.setdefault(profile_id, []).append(each)
        profiles = await profiles_with(connection, store, list(removed))
        removals = [(profile, removed[profile.id]) for profile in profiles]
        await write(connection, store, difference_of_removals(removals, CLOCK.now(), job.actor, forgets=False))
        await job.save(connection, removed=job.progress.get("removed", 0) + len(held))
    return True


async def _next_values(
    connection: AsyncConnection, store: StoreRules, after: NormalizedIdentifier
) -> list[NormalizedIdentifier]:
    parameters = {
        "store_id": store.id, "id_type": after.id_type, "value": after.value, "limit": VALUES_PER_STEP,
    }  # fmt: skip
    rows = await connection.execute(NEXT_VALUES, parameters)
    return [NormalizedIdentifier(row.id_type, NormalizedValue(row.value)) for row in rows]


async def _holders(
    connection: AsyncConnection, store: StoreRules, identifiers: Sequence[NormalizedIdentifier]
) -> list[UUID]:
    parameters = {**_parameters(store, identifiers), "limit": IDENTIFIERS_PER_STEP}
    return list((await connection.execute(_HOLDERS, parameters)).scalars())


async def _held(
    connection: AsyncConnection,
    store: StoreRules,
    identifiers: Sequence[NormalizedIdentifier],
    profile_ids: Sequence[UUID],
) -> list[tuple[UUID, NormalizedIdentifier]]:
    parameters = {**_parameters(store, identifiers), "profile_ids": profile_ids}
    rows = await connection.execute(_HELD, parameters)
    return [(row.profile_id, NormalizedIdentifier(row.id_type, NormalizedValue(row.value))) for row in rows]


def _parameters(store: StoreRules, identifiers: Sequence[NormalizedIdentifier]) -> dict[str, object]:
    return {
        "store_id": store.id,
        "id_types": [each.id_type for each in identifiers],
        "values": [each.value for each in identifiers],
    }


NEXT_VALUES = text("""
    select distinct id_type, value
    from identifier
    where store_id = :store_id and (id_type, value) > (:id_type, :value)
    order by id_type, value
    limit :limit
""")

_HOLDERS = text("""
    select held.profile_id
    from unnest(cast(:id_types as text[]), cast(:values as text[])) as blocked (id_type, value)
    cross join lateral (
        select i.profile_id from identifier i
        where i.store_id = :store_id and i.id_type = blocked.id_type and i.value = blocked.value
        offset 0
    ) held
    limit :limit
""")

# The rows are locked in the order in which every write locks them.
_LOCK = text("""
    select id from profile
    where store_id = :store_id and id = any (cast(:profile_ids as uuid[]))
    order by id
    for no key update
""")

_HELD = text("""
    select held.*
    from unnest(cast(:id_types as text[]), cast(:values as text[])) as blocked (id_type, value)
    cross join lateral (
        select i.profile_id, i.id_type, i.value from identifier i
        where i.store_id = :store_id and i.id_type = blocked.id_type and i.value = blocked.value
            and i.profile_id = any (cast(:profile_ids as uuid[]))
        offset 0
    ) held
""")
