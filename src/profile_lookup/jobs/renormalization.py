"""Handles the operation that changes settings on data: it rewrites the stored values and puts the settings in force.

Both happen in one transaction, during which nobody else writes in the store: a Lookup sees all of the old or all of the
new.
"""

from collections.abc import Sequence
from dataclasses import replace as replaced
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.documents import settings_of
from profile_lookup.database.fuzzy_key import fuzzy_key
from profile_lookup.database.ids import new_id
from profile_lookup.database.tables import identifier
from profile_lookup.errors import Outdated, SettingsRefused, ValueRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.merging import combined, evicted
from profile_lookup.identity.person_names import MAX_NAMES, united_names
from profile_lookup.identity.profile_replay import ProfileReplay, Written
from profile_lookup.identity.renormalization import collision_rules, one_person_each, renormalized
from profile_lookup.identity.resolution import Merge
from profile_lookup.identity.settings_change import SettingsChange
from profile_lookup.identity.values.normalization import normalize
from profile_lookup.identity_settings.queries import refuse_contradictions, replace, shared_values_refusal
from profile_lookup.ingest.evictions import log_evictions
from profile_lookup.ingest.identity_locks import lock_and_gather
from profile_lookup.ingest.large_profiles import recount_identifiers
from profile_lookup.ingest.locked_profiles import profiles_with, with_names
from profile_lookup.ingest.removals import difference_of_removal
from profile_lookup.ingest.writes import write
from profile_lookup.jobs.rewritten_history import rewrite_history
from profile_lookup.operations.job import Job
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queue import enqueue
from profile_lookup.stores.normalization import taken_back
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.web import ids

VALUES_PER_BATCH = 500
"""A batch takes some milliseconds of Python, in which the worker does nothing else."""


async def update_settings(job: Job) -> None:
    """Change a store's settings and its values. Raises `Outdated` or `SettingsRefused`; nothing has changed then."""
    async with job.long_step() as connection:
        for setting in _FOR_MANY_ROWS:
            await connection.execute(text(f"set local {setting}"))
        store = await taken_back(connection, await lock_rules(connection, job.account_id, job.store_id))
        if job.input["expected_version"] not in (None, store.settings_version):
            raise Outdated
        change = SettingsChange(store.settings, settings_of(job.input["settings"]))
        await refuse_contradictions(connection, store, change)
        merged = await _renormalize(connection, store, change, job.actor)
        await replace(connection, store, change.after)
        if change.renormalized:  # some values may be blocked as they are written now
            kind = OperationKind.UPDATE_BLOCKED_VALUES
            await enqueue(connection, job.account_id, job.store_id, kind=kind, job_input={})
        await job.complete(connection, ids.store_id(store.id))
    log_evictions(store.id, merged)


_FOR_MANY_ROWS = ("plan_cache_mode = auto", "enable_seqscan = on")


async def _renormalize(
    connection: AsyncConnection, store: StoreRules, change: SettingsChange, actor: Actor
) -> list[Written]:
    """Rewrite the values and their marks, and return the merges of profiles that turn out to be one person."""
    merged = []
    await connection.execute(_STAGING_TABLE)
    for id_type in change.renormalized:
        await _stage(connection, store, change, id_type)
    await connection.execute(text("analyze renormalized"))
    collisions = {
        id_type: found
        for id_type in change.renormalized
        if change.after.is_unique(id_type) and (found := await _collisions(connection, store, change, id_type))
    }
    # Before any value is rewritten, so that the primary key finds the value that it becomes.
    for id_type in change.remarked:
        await connection.execute(_UPDATE_MARKS, _marks(store, change, id_type))
    rules = collision_rules(change.after, collisions)
    for profile_ids in one_person_each([shared_by for found in collisions.values() for shared_by in found]):
        rule = min((rules[profile_id] for profile_id in profile_ids), key=change.after.matching_rules.index)
        merged.append(await _merge(connection, store, change, profile_ids, rule, actor))
    for id_type in change.renormalized:
        await connection.execute(_REWRITE, {**_marks(store, change, id_type), "max_names": MAX_NAMES})
    if change.renormalized:
        await rewrite_history(connection, store.id, change)
    await recount_identifiers(connection, store.id)
    return merged


async def _stage(connection: AsyncConnection, store: StoreRules, change: SettingsChange, id_type: str) -> None:
    """Stage the new form of each value that changes, and delete those whose new form is blocked: they merge nobody.

    Raises `SettingsRefused` if the new rules refuse a value.
    """
    normalization = change.after.config(id_type).normalization
    blocked_values = store.blocked_values.adapted_to(change.after)
    refused = 0
    query = select(identifier.c.profile_id, identifier.c.value).where(
        identifier.c.store_id == store.id, identifier.c.id_type == id_type
    )
    stored = await connection.stream(query, execution_options={"yield_per": VALUES_PER_BATCH})
    async for rows in stored.partitions(VALUES_PER_BATCH):
        changed = []
        blocked = []
        for profile_id, value in rows:
            try:
                became = normalize(normalization, value)
            except ValueRefused:
                refused += 1
            else:
                if became == value:
                    continue
                if blocked_values.block(change.after, NormalizedIdentifier(id_type, became)):
                    blocked.append((profile_id, NormalizedIdentifier(id_type, value)))
                else:
                    changed.append((profile_id, value, became))
        if changed:
            profile_ids, values, becames = zip(*changed, strict=True)
            parameters = {"id_type": id_type, "profile_ids": profile_ids, "values": values, "becames": becames}
            await connection.execute(_STAGE, parameters)
        if blocked:
            await _remove_blocked(connection, store, change, blocked)
    if refused:
        raise SettingsRefused(
            f"normalization: {refused} stored value{'s' if refused > 1 else ''} of {id_type} would be refused "
            f"by {normalization}; expected none"
        )


async def _collisions(
    connection: AsyncConnection, store: StoreRules, change: SettingsChange, id_type: str
) -> list[list[UUID]]:
    """Return, for each value that several profiles would share, these profiles.

    Raises `SettingsRefused` unless they may be merged.
    """
    found = list((await connection.execute(_COLLISIONS, {"store_id": store.id, "id_type": id_type})).scalars())
    if found and (id_type in change.made_unique or id_type not in change.after.matching_rules):
        raise shared_values_refusal(id_type, len(found))
    return found


async def _merge(
    connection: AsyncConnection,
    store: StoreRules,
    change: SettingsChange,
    profile_ids: Sequence[UUID],
    rule: str,
    actor: Actor,
) -> Written:
    profiles = []
    for profile_id in sorted(profile_ids):
        profiles += await lock_and_gather(connection, store, known=profile_id)
    profiles = await with_names(connection, store, profiles)
    now = CLOCK.now()
    became = [renormalized(change.after, change.renormalized, profile) for profile in profiles]
    identifiers, traits = combined(change.after, became, Change(), now)
    merge = Merge(became[0], tuple(became[1:]), rule)
    replay = ProfileReplay(change.after, profiles, new_id)
    names = united_names(became, change.after.is_unique)
    written = replay.become(merge, identifiers, traits, names, now, actor=actor)
    await write(connection, store, replay.difference(), change.after)
    return replaced(written, evicted=evicted(became, Change(), identifiers))


async def _remove_blocked(
    connection: AsyncConnection,
    store: StoreRules,
    change: SettingsChange,
    blocked: Sequence[tuple[UUID, NormalizedIdentifier]],
) -> None:
    """Remove identifiers that are blocked in their new form. The history keeps them, since nobody removed them."""
    removed: dict[UUID, list[NormalizedIdentifier]] = {}
    for profile_id, each in blocked:
        removed.setdefault(profile_id, []).append(each)
    now = CLOCK.now()
    for profile in await profiles_with(connection, store, list(removed)):
        difference = difference_of_removal(profile, tuple(removed[profile.id]), now, None, forgets=False)
        await write(connection, store, difference, change.before)


def _marks(store: StoreRules, change: SettingsChange, id_type: str) -> dict[str, object]:
    return {
        "store_id": store.id,
        "id_type": id_type,
        "is_unique": change.after.is_unique(id_type),
        "fuzzy_key": fuzzy_key(change.after, store.id, id_type),
    }


_STAGING_TABLE = text("""
    create temporary table renormalized (
        id_type text, profile_id uuid, value text, became text
    ) on commit drop
""")

_STAGE = text("""
    insert into renormalized
    select :id_type, changed.*
    from unnest(cast(:profile_ids as uuid[]), cast(:values as text[]), cast(:becames as text[])) as changed
""")

_COLLISIONS = text("""
    select array_agg(distinct after.profile_id)
    from (
        select identifier.profile_id, coalesce(renormalized.became, identifier.value) as value
        from identifier
        left join renormalized using (id_type, profile_id, value)
        where identifier.store_id = :store_id and identifier.id_type = :id_type
    ) as after
    group by after.value
    having count(distinct after.profile_id) > 1
""")

# A normalized value normalizes to itself, so no new value is an old value that is still to be replaced. The counted
# names of values that become one unite, as `person_names.united` unites them.
_REWRITE = text("""
    with gone as (
        delete from identifier
        using renormalized
        where identifier.store_id = :store_id
            and identifier.id_type = :id_type
            and renormalized.id_type = identifier.id_type
            and renormalized.profile_id = identifier.profile_id
            and renormalized.value = identifier.value
        returning identifier.profile_id, renormalized.became, identifier.added_at, identifier.names
    ),
    named as (
        select became, profile_id, added_at, names from gone where names is not null
        union all
        select value, profile_id, added_at, names from identifier
        where store_id = :store_id and id_type = :id_type and names is not null
            and (value, profile_id) in (select became, profile_id from gone)
    ),
    each_name as (
        select distinct on (became, profile_id, name) became, profile_id, name, added_at, position
        from named cross join lateral unnest(names) with ordinality as counted (name, position)
        order by became, profile_id, name, added_at, position
    ),
    united as (
        select became, profile_id, (array_agg(name order by added_at, position))[1 : :max_names] as names
        from each_name
        group by became, profile_id
    )
    insert into identifier (store_id, id_type, value, profile_id, shared_by, fuzzy_key, added_at, names)
    select
        :store_id, :id_type, became, profile_id, case when :is_unique then '' else uuid_send(profile_id) end,
        cast(:fuzzy_key as bigint), min(gone.added_at), united.names
    from gone
    left join united using (became, profile_id)
    group by became, profile_id, united.names
    on conflict on constraint identifier_pkey
        do update set
            added_at = case when identifier.profile_id = excluded.profile_id
                then least(identifier.added_at, excluded.added_at) end,  -- as in ingest/writes.py
            names = coalesce(excluded.names, identifier.names)
""")

_UPDATE_MARKS = text("""
    update identifier
    set shared_by = case when :is_unique then '' else uuid_send(profile_id) end, fuzzy_key = :fuzzy_key
    where store_id = :store_id and id_type = :id_type
""")
