"""The work of operations that erase: all that a deleted store held, or the values of traits that are no more."""

from uuid import UUID

from sqlalchemy import TextClause, delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.tables import profile, trait
from profile_lookup.ingest.writes import erase_profiles
from profile_lookup.operations.job_worker import Job, relentless
from profile_lookup.web import ids

CHUNK = 500
"""Profiles at a time: some tens of milliseconds, in which nobody waits for us but who asks for these very profiles."""


@relentless
async def erase_store(job: Job) -> None:
    """The store itself is gone already, so nobody else can reach what it held.

    First its imports, and then their files: without an import no file is kept. One that is being kept, or removed by
    who works on it, is not waited for: it goes when that import has failed, for want of its store.
    """
    for some in _REFUSALS, _IMPORTS, _PIECES:
        while await _erased(job, some):
            pass
    while True:
        async with job.step() as connection:
            people = await _next_profiles(connection, job)
            if not people:
                await job.complete(connection, ids.store_id(job.store_id))
                return
            await erase_profiles(connection, job.store_id, people)
            await job.save(connection, after=str(people[-1]))


async def _erased(job: Job, some: TextClause) -> bool:
    async with job.step() as connection:
        parameters = {"account_id": job.account_id, "store_id": job.store_id}
        return (await connection.execute(some, parameters)).rowcount > 0


# Some tens of megabytes at a time.
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


@relentless
async def forget_traits(job: Job) -> None:
    """The traits are no longer defined, so no write brings any, and nobody sees those that are left.

    First those that profiles have, then those that the history of merges remembers.
    """
    group, names = job.input["group"], job.input["traits"]
    while not job.progress.get("is_history"):
        async with job.step() as connection:
            people = await _next_profiles(connection, job)
            if people:
                of_group = delete(trait).where(
                    trait.c.store_id == job.store_id, trait.c.profile_id.in_(people), trait.c.group_name == group
                )
                await connection.execute(of_group if names is None else of_group.where(trait.c.name.in_(names)))
                await job.save(connection, after=str(people[-1]))
            else:
                await job.save(connection, is_history=True)
    while True:
        async with job.step() as connection:
            after = UUID(job.progress.get("after", str(UUID(int=0))))
            parameters = {"store_id": job.store_id, "after": after, "chunk": CHUNK, "group": group, "names": names}
            last = await connection.scalar(_FORGET_HISTORY, parameters)
            if last is None:
                await job.complete(connection, group)
                return
            await job.save(connection, is_history=True, after=str(last))


_FORGET_HISTORY = text("""
    with chunk as (
        select id, moved from merge
        where store_id = :store_id and id > :after
        order by id
        limit :chunk
        for no key update
    ),
    forgotten as (
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
            from jsonb_array_elements(chunk.moved) with ordinality as person (value, position)
        )
        from chunk
        where merge.store_id = :store_id and merge.id = chunk.id
    )
    select id from chunk order by id desc limit 1
""")


async def _next_profiles(connection: AsyncConnection, job: Job) -> list[UUID]:
    """Locked, in order of their IDs, after those that are done: what is gone already is not looked at again."""
    question = (
        select(profile.c.id)
        .where(profile.c.store_id == job.store_id)
        .order_by(profile.c.id)
        .limit(CHUNK)
        .with_for_update(key_share=True)
    )
    if after := job.progress.get("after"):
        question = question.where(profile.c.id > UUID(after))
    return list((await connection.execute(question)).scalars())
