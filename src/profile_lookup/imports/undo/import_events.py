"""Finds what an import wrote: by the numbers of its events, and not by a search of the store.

The import's row says between which numbers its events are. What others wrote meanwhile is passed over.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event_document import actor_document
from profile_lookup.operations.job import Job


async def next_created(connection: AsyncConnection, job: Job, limit: int) -> tuple[list[UUID], int]:
    """Return the next profiles that the import created and to which nothing else has happened.

    Also return the number of the last one, after which the next ones are found.
    """
    rows = (await connection.execute(_CREATED, _parameters(job) | {"limit": limit})).all()
    return [row.id for row in rows], max((row.creation_number for row in rows), default=job.progress["after"])


async def lock_created(connection: AsyncConnection, job: Job, profile_ids: Collection[UUID]) -> list[UUID]:
    """Lock these profiles, and return those to which nothing else has happened meanwhile."""
    parameters = {"store_id": job.store_id, "profile_ids": list(profile_ids)}
    return list((await connection.execute(_LOCK_CREATED, parameters)).scalars())


async def next_changed(connection: AsyncConnection, job: Job, limit: int) -> tuple[list[UUID], int]:
    """Return the profiles of the next events of the import, and the number of the last one of these.

    The profiles are those of the time; later ones may have absorbed them.
    """
    rows = (await connection.execute(_CHANGED, _parameters(job) | {"limit": limit})).all()
    return [row.profile_id for row in rows], max((row.number for row in rows), default=job.progress["after"])


async def touched(connection: AsyncConnection, job: Job, profile_ids: Collection[UUID]) -> Sequence[UUID]:
    """Return those of these profiles that the import created or wrote to."""
    parameters = _parameters(job) | {"profile_ids": list(profile_ids)}
    return (await connection.execute(_TOUCHED, parameters)).scalars().all()


def _parameters(job: Job) -> dict[str, object]:
    return {
        "store_id": job.store_id,
        "import_id": job.input["import_id"],
        "actor": actor_document(Actor("import", job.input["import_id"]))[0],
        "created_by": f"import {job.input['import_id']} ",
        "after": job.progress["after"],
        "until": job.input["until"],
    }


_IS_BY_IMPORT = """
    (
        event.document #>> '{o,0}' = :actor
        -- The form of documents until November 2026.
        or (event.document #>> '{o,0}' = 'import' and event.document #>> '{o,1}' = :import_id)
    )
"""

_CREATED = text("""
    select id, creation_number from profile
    where store_id = :store_id and creation_number > :after and creation_number <= :until
        and starts_with(created_by, :created_by)
    order by creation_number
    limit :limit
""")

# The rows are locked in the order in which every write locks them. PostgreSQL checks the condition again after that.
_LOCK_CREATED = text("""
    select id from profile
    where store_id = :store_id and id = any (cast(:profile_ids as uuid[])) and creation_number is not null
    order by id
    for no key update
""")

_CHANGED = text(f"""
    select number, profile_id from event
    where store_id = :store_id and number > :after and number <= :until
        and {_IS_BY_IMPORT}
    order by number
    limit :limit
""")  # noqa: S608 -- made of the constant above

_TOUCHED = text(f"""
    select sought.id
    from unnest(cast(:profile_ids as uuid[])) as sought (id)
    where exists (
        select from profile
        where profile.store_id = :store_id and profile.id = sought.id and starts_with(profile.created_by, :created_by)
    )
    or exists (
        select from event
        where event.store_id is not distinct from :store_id
            and event.profile_id = any (
                array(select a.id from alias a where a.store_id = :store_id and a.profile_id = sought.id) || sought.id
            )
            and {_IS_BY_IMPORT}
    )
""")  # noqa: S608 -- made of the constant above
