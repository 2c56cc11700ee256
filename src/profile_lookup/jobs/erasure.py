"""Handles the operations that erase: everything that a deleted store held, or the values of removed traits."""

from uuid import UUID

from sqlalchemy import TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.tables import profile
from profile_lookup.ingest.writes import erase_profiles
from profile_lookup.operations.job import Job, retried_forever
from profile_lookup.web import ids

PROFILES_PER_STEP = 500
"""A step takes some tens of milliseconds. Only requests about these very profiles wait for it."""


@retried_forever
async def erase_store(job: Job) -> None:
    """Erase everything that a deleted store held. The store itself is gone already, so nobody else can reach it.

    Imports are deleted before their files, since no file is saved without an import. A file that is being saved, or
    deleted by the worker of its import, is skipped: it is deleted when that import fails because the store is gone.
    """
    for statement in _REFUSALS, _IMPORTS, _PIECES:
        while await _delete_some(job, statement):
            pass
    while True:
        async with job.long_step() as connection:
            profile_ids = await _next_profiles(connection, job)
            if not profile_ids:
                await job.complete(connection, ids.store_id(job.store_id))
                return
            await erase_profiles(connection, job.store_id, profile_ids)
            await job.save(connection, after=str(profile_ids[-1]))


async def _delete_some(job: Job, statement: TextClause) -> bool:
    async with job.long_step() as connection:
        parameters = {"account_id": job.account_id, "store_id": job.store_id}
        return (await connection.execute(statement, parameters)).rowcount > 0


# Each statement deletes some tens of megabytes.
_REFUSALS = text("""
    delete from import_refusals where (store_id, import_id, position) in (
        select store_id, import_id, position from import_refusals
        where store_id = :store_id
        limit 100
    )
""")
_IMPORTS = text("""
    delete from profile_import where (store_id, id) in (
        select store_id, id from profile_import
        where store_id = :store_id
        order by id
        limit 100
        for update
    )
""")
_PIECES = text("""
    delete from operation_piece where (account_id, operation_id, position) in (
        select piece.account_id, piece.operation_id, piece.position
        from operation
        join operation_piece piece on piece.account_id = operation.account_id and piece.operation_id = operation.id
        where operation.account_id = :account_id and operation.store_id = :store_id and operation.completed_at is null
        limit 50
        for update of piece skip locked
    )
""")


@retried_forever
async def forget_traits(job: Job) -> None:
    """Delete the values of removed traits: first those of profiles, then those in the history of merges.

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
                await job.save(connection, is_history=True)
    while True:
        async with job.step() as connection:
            after = UUID(job.progress.get("after", str(UUID(int=0))))
            parameters = {
                "store_id": job.store_id,
                "after": after,
                "limit": PROFILES_PER_STEP,
                "group": group,
                "names": names,
            }
            last = await connection.scalar(_DELETE_FROM_HISTORY, parameters)
            if last is None:
                await job.complete(connection, group)
                return
            await job.save(connection, is_history=True, after=str(last))


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

_DELETE_FROM_HISTORY = text("""
    with batch as (
        select id, moved from merge
        where store_id = :store_id and id > :after
        order by id
        limit :limit
        for no key update
    ),
    amended as (
        update merge
        set moved = (
            select jsonb_agg(
                jsonb_set(
                    person.value,
                    '{traits}',
                    (
                        select coalesce(jsonb_agg(known.value order by known.position), '[]')
                        from jsonb_array_elements(person.value -> 'traits') with ordinality as known (value, position)
                        where known.value ->> 0 <> :group
                            or known.value ->> 1 <> all (coalesce(cast(:names as text[]), array[known.value ->> 1]))
                    )
                )
                order by person.position
            )
            from jsonb_array_elements(batch.moved) with ordinality as person (value, position)
        )
        from batch
        where merge.store_id = :store_id and merge.id = batch.id
    )
    select id from batch order by id desc limit 1
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
