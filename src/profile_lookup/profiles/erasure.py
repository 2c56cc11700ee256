"""The work of operations that erase: all that a deleted store held, or the values of traits that are no more."""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.tables import profile, trait
from profile_lookup.operations.worker import Job
from profile_lookup.profiles.writes import erase_profiles
from profile_lookup.web import ids

CHUNK = 500
"""Profiles at a time: some tens of milliseconds, in which nobody waits for us but who asks for these very profiles."""


async def erase_store(job: Job) -> None:
    """The store itself is gone already, so nobody else can reach what it held."""
    while True:
        async with job.step() as connection:
            people = await _next_profiles(connection, job)
            if not people:
                await job.complete(connection, ids.store_id(job.store_id))
                return
            await erase_profiles(connection, job.store_id, people)
            await job.save(connection, after=str(people[-1]))


async def forget_traits(job: Job) -> None:
    """The traits are no longer defined, so no write brings any, and nobody sees those that are left."""
    group, names = job.input["group"], job.input["traits"]
    while True:
        async with job.step() as connection:
            people = await _next_profiles(connection, job)
            if not people:
                await job.complete(connection, group)
                return
            of_group = delete(trait).where(
                trait.c.store_id == job.store_id, trait.c.profile_id.in_(people), trait.c.group_name == group
            )
            await connection.execute(of_group if names is None else of_group.where(trait.c.name.in_(names)))
            await job.save(connection, after=str(people[-1]))


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
