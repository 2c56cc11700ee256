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
from profile_lookup.database.documents import actor_of, settings_of
from profile_lookup.database.ids import new_id
from profile_lookup.database.tables import identifier
from profile_lookup.errors import Outdated, SettingsRefused, ValueRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.merging import combined, evicted
from profile_lookup.identity.person_names import united_names
from profile_lookup.identity.profile_replay import ProfileReplay, Written
from profile_lookup.identity.resolution import Merge
from profile_lookup.identity.settings_changes.renormalization import (
    Collision,
    collision_rules,
    forms_by_holder,
    forms_of,
    lost_values,
    one_person_each,
    renormalized,
    without_lost,
)
from profile_lookup.identity.settings_changes.settings_change import SettingsChange
from profile_lookup.identity.values.normalization import normalize
from profile_lookup.identity_settings.queries import refuse_contradictions, replace, shared_values_refusal
from profile_lookup.ingest.committed_writes import note_committed
from profile_lookup.ingest.identity_locks import lock_and_gather
from profile_lookup.ingest.large_profiles import recount_identifiers
from profile_lookup.ingest.locked_profiles import profiles_with
from profile_lookup.ingest.removals import difference_of_losses, difference_of_removals
from profile_lookup.ingest.writes import write
from profile_lookup.jobs.identifier_reader import separations_of_people
from profile_lookup.jobs.renormalized_values import (
    analyze_staged,
    create_staging_table,
    rewrite_values,
    stage,
    staged_collisions,
    update_marks,
)
from profile_lookup.jobs.rewritten_history import rewrite_history
from profile_lookup.operations.job import Job
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queue import enqueue
from profile_lookup.stores.normalization import taken_back
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.stores.settings_events import record_settings_change
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
        await record_settings_change(connection, store.id, actor_of(job.input.get("actor")) or job.actor)
        if change.renormalized:  # some values may be blocked as they are written now
            kind = OperationKind.UPDATE_BLOCKED_VALUES
            await enqueue(connection, job.account_id, job.store_id, kind=kind, job_input={})
        await job.complete(connection, ids.store_id(store.id))
    note_committed(store.id, merged)


_FOR_MANY_ROWS = ("plan_cache_mode = auto", "enable_seqscan = on")


async def _renormalize(
    connection: AsyncConnection, store: StoreRules, change: SettingsChange, actor: Actor
) -> list[Written]:
    """Rewrite the values and their marks, and return the merges of profiles that turn out to be one person.

    Of profiles that are kept apart, all but one lose the value that they would share.
    """
    merged = []
    await create_staging_table(connection)
    for id_type in change.renormalized:
        await _stage(connection, store, change, id_type, actor)
    await analyze_staged(connection)
    collisions = [
        each
        for id_type in change.renormalized
        if change.after.is_unique(id_type)
        for each in await _collisions(connection, store, change, id_type)
    ]
    lost = await _lost_values(connection, store, change, collisions)
    await _remove_lost(connection, store, change, lost, actor)
    # Before any value is rewritten, so that the primary key finds the value that it becomes.
    for id_type in change.remarked:
        await update_marks(connection, store.id, change.after, id_type)
    merging = without_lost(collisions, lost)
    rules = collision_rules(change.after.matching_rules, merging)
    for profile_ids in one_person_each(each.profile_ids for each in merging):
        rule = min((rules[profile_id] for profile_id in profile_ids), key=change.after.matching_rules.index)
        merged.append(await _merge(connection, store, change, profile_ids, rule, actor))
    for id_type in change.renormalized:
        await rewrite_values(connection, store.id, change.after, id_type)
    if change.renormalized:
        await rewrite_history(connection, store.id, change)
    await recount_identifiers(connection, store.id)
    return merged


async def _stage(
    connection: AsyncConnection, store: StoreRules, change: SettingsChange, id_type: str, actor: Actor
) -> None:
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
            await stage(connection, id_type, changed)
        if blocked:
            await _remove_blocked(connection, store, change, blocked, actor)
    if refused:
        raise SettingsRefused(
            f"normalization: {refused} stored value{'s' if refused > 1 else ''} of {id_type} would be refused "
            f"by {normalization}; expected none"
        )


async def _collisions(
    connection: AsyncConnection, store: StoreRules, change: SettingsChange, id_type: str
) -> list[Collision[NormalizedIdentifier]]:
    """Return the collisions by values of this type. Raises `SettingsRefused` unless their profiles may be merged."""
    found = await staged_collisions(connection, store.id, id_type)
    if found and (id_type in change.made_unique or id_type not in change.after.matching_rules):
        raise shared_values_refusal(id_type, len(found))
    return found


async def _lost_values(
    connection: AsyncConnection,
    store: StoreRules,
    change: SettingsChange,
    collisions: Sequence[Collision[NormalizedIdentifier]],
) -> list[Collision[NormalizedIdentifier]]:
    colliding = {profile_id for each in collisions for profile_id in each.profile_ids}
    separations = await separations_of_people(connection, store.id, colliding)
    return lost_values(change.after.matching_rules, collisions, separations)


async def _remove_lost(
    connection: AsyncConnection,
    store: StoreRules,
    change: SettingsChange,
    lost: Sequence[Collision[NormalizedIdentifier]],
    actor: Actor,
) -> None:
    """Remove the values that stay with somebody else. The history keeps them, since nobody asked to remove them."""
    forms = forms_by_holder(lost)
    losses = []
    for profile in await profiles_with(connection, store, list(forms)):
        held = forms_of(change.after, change.renormalized, profile)
        losses.append((profile, [each for each, form in held.items() if form in forms[profile.id]]))
    if losses:
        await write(connection, store, difference_of_losses(losses, CLOCK.now(), actor), change.before)


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
    actor: Actor,
) -> None:
    """Remove identifiers that are blocked in their new form. The history keeps them, since nobody removed them."""
    removed: dict[UUID, list[NormalizedIdentifier]] = {}
    for profile_id, each in blocked:
        removed.setdefault(profile_id, []).append(each)
    removals = [(profile, removed[profile.id]) for profile in await profiles_with(connection, store, list(removed))]
    difference = difference_of_removals(removals, CLOCK.now(), actor, forgets=False)
    await write(connection, store, difference, change.before)
