"""Handles the operations that erase: everything that a deleted store held, or the values of removed traits."""

from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.event_rows import NumberedEvent, lock_people, next_events, rewrite
from profile_lookup.database.tables import profile
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.forgetting import traits_of, without_traits
from profile_lookup.ingest.profile_erasure import erase_profiles
from profile_lookup.operations.job import Job, retried_forever
from profile_lookup.web import ids

PROFILES_PER_STEP = 500
EVENTS_PER_STEP = 500
"""Each takes some tens of milliseconds. Only requests about these very profiles wait for it."""


@retried_forever
async def erase_store(job: Job) -> None:
    """Erase everything that a deleted store held. The store itself is gone already, so nobody else can reach it.

    Imports are deleted before their files, since no file is saved without an import. A file that is being saved, or
    deleted by the worker of its import, is skipped: it is deleted when that import fails because the store is gone.
    """
    await _delete(job, _REFUSALS, _IMPORTS, _PIECES)
    while True:
        async with job.long_step() as connection:
            profile_ids = await _next_profiles(connection, job)
            if not profile_ids:
                break
            await erase_profiles(connection, job.store_id, profile_ids)
            await job.save(connection, after=str(profile_ids[-1]))
    await _delete(job, _EVENTS, _SEPARATIONS, _BATCHES, _FEED, _END)
    async with job.step() as connection:
        await job.complete(connection, ids.store_id(job.store_id))


async def _delete(job: Job, *statements: TextClause) -> None:
    """Execute each of the statements until it deletes no more."""
    parameters = {"account_id": job.account_id, "store_id": job.store_id}
    for statement in statements:
        deleted = 1
        while deleted:
            async with job.long_step() as connection:
                deleted = (await connection.execute(statement, parameters)).rowcount


# Each statement deletes some tens of megabytes.
_REFUSALS = text("""
    delete from import_refusals
    using (
        select import_id, position from import_refusals where store_id = :store_id limit 100
    ) next
    where import_refusals.store_id = :store_id and import_refusals.import_id = next.import_id
        and import_refusals.position = next.position
""")
_IMPORTS = text("""
    delete from profile_import
    using (
        select id from profile_import where store_id = :store_id order by id limit 100 for update
    ) next
    where profile_import.store_id = :store_id and profile_import.id = next.id
""")
_PIECES = text("""
    delete from operation_piece
    using (
        select piece.account_id, piece.operation_id, piece.position
        from operation
        join operation_piece piece on piece.account_id = operation.account_id and piece.operation_id = operation.id
        where operation.account_id = :account_id and operation.store_id = :store_id and operation.completed_at is null
        limit 50
        for update of piece skip locked
    ) next
    where operation_piece.account_id = next.account_id and operation_piece.operation_id = next.operation_id
        and operation_piece.position = next.position
""")
# Events and separations that belong to no profile are left by now, and the feed.
_EVENTS = text("""
    delete from event where store_id = :store_id and number in (
        select number from event where store_id = :store_id order by number limit 10000
    )
""")
_BATCHES = text("""
    delete from event_batch where store_id = :store_id and batch in (
        select batch from event_batch where store_id = :store_id order by batch limit 10000
    )
""")
_SEPARATIONS = text("""
    delete from separation
    using (
        select id, decision from separation where store_id = :store_id order by id, decision limit 10000
    ) next
    where separation.store_id = :store_id and separation.id = next.id and separation.decision = next.decision
""")
_FEED = text("delete from event_feed where store_id = :store_id")
_END = text("delete from history_end where store_id = :store_id")


@retried_forever
async def forget_traits(job: Job) -> None:
    """Delete the values of removed traits: first those of profiles, then those in the events of the store.

    The traits are no longer defined, so no write adds any, and no answer shows those that are left.
    """
    group, names = job.input["group"], job.input["traits"]
    while not job.progress.get("is_history"):
        async with job.step() as connection:
            profile_ids = await _next_profiles(connection, job)
            if profile_ids:
                parameters = {"store_id": job.store_id, "people": profile_ids, "group": group, "names": names}
                await connection.execute(_DELETE_FROM_PROFILES, parameters)
                await job.save(connection, after=str(profile_ids[-1]))
            else:
                await job.save(connection, is_history=True, number=0)
    while True:
        async with job.step() as connection:
            if await _forget_in_next_events(connection, job, partial(_without_traits, group, names)):
                continue
            await job.complete(connection, group)
            return


async def _forget_in_next_events(connection: AsyncConnection, job: Job, change: Callable[[Event], Event]) -> bool:
    """Change the next events of the store, and return whether there were any.

    They are read again once their people are locked, since a write may have changed them before. If a person has become
    part of another one meanwhile, the step is to be done again.
    """
    after = job.progress["number"]
    events = await next_events(connection, job.store_id, after, EVENTS_PER_STEP)
    if not events:
        return False
    known = {number for number, _ in events}
    people = {event.profile_id for _, event in events if change(event) != event}
    if people:
        if not await lock_people(connection, job.store_id, people):
            return True
        events = await next_events(connection, job.store_id, after, EVENTS_PER_STEP)
    changed = [
        NumberedEvent(number, became)
        for number, event in events
        if number in known and event.profile_id in people and (became := change(event)) != event
    ]
    await rewrite(connection, job.store_id, changed)
    await job.save(connection, is_history=True, number=max(known))
    return True


def _without_traits(group: str, names: Sequence[str] | None, event: Event) -> Event:
    """Return the event without these traits of the group, or without all of its traits."""
    removed = [each for each in traits_of(event) if each.group == group and (names is None or each.name in names)]
    return without_traits(event, removed) if removed else event


# A group of which no trait is left is deleted, too.
_DELETE_FROM_PROFILES = text("""
    update profile
    set traits = case
        when (traits -> removed.from_group) - removed.names <> '{}'
            then jsonb_set(traits, array[removed.from_group], (traits -> removed.from_group) - removed.names)
        else traits - removed.from_group
    end
    from (select cast(:group as text) as from_group, cast(:names as text[]) as names) as removed
    where store_id = :store_id and id = any (cast(:people as uuid[])) and traits ? removed.from_group
        and (removed.names is null or (traits -> removed.from_group) ?| removed.names)
""")


async def _next_profiles(connection: AsyncConnection, job: Job) -> list[UUID]:
    """Lock and return the next profiles, in the order of their IDs, without reading those again that are erased."""
    query = (
        select(profile.c.id)
        .where(profile.c.store_id == job.store_id)
        .order_by(profile.c.id)
        .limit(PROFILES_PER_STEP)
        .with_for_update(key_share=True)
    )
    if after := job.progress.get("after"):
        query = query.where(profile.c.id > UUID(after))
    return list((await connection.execute(query)).scalars())
