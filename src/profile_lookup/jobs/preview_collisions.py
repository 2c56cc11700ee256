"""The forms that values would get, in SQL, while a preview of settings is worked on.

They are hashes, since a value must not outlast its removal. Forms that profiles would share are found by one query.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.identity.settings_changes.renormalization import Collision, Holder
from profile_lookup.operations.job import Job


class StagedForm(NamedTuple):
    """The hash of a form that profiles might come to share, a profile that would have it, and since when it has."""

    id_type: str
    form: bytes
    profile_id: UUID
    since: datetime


LostForms = Mapping[UUID, set[bytes]]
"""The profiles that would lose values, each with the hashes of their forms."""


async def stage_forms(connection: AsyncConnection, job: Job, forms: Sequence[StagedForm]) -> None:
    id_types, hashes, profile_ids, times = zip(*forms, strict=True) if forms else ((), (), (), ())
    arrays = {"id_types": id_types, "forms": hashes, "profile_ids": profile_ids, "times": times}
    await connection.execute(_STAGE, _key(job) | arrays)


async def staged_collisions(connection: AsyncConnection, job: Job) -> list[Collision[bytes]]:
    """Return the collisions of those who have not lost the value."""
    return [
        Collision(
            row.id_type, bytes(row.form), [Holder(*each) for each in zip(row.times, row.profile_ids, strict=True)]
        )
        for row in await connection.execute(_COLLISIONS, _key(job))
    ]


async def mark_lost(connection: AsyncConnection, job: Job, lost: Sequence[Collision[bytes]]) -> None:
    """Save that these holders lose the value."""
    losers = [(each.id_type, each.form, profile_id) for each in lost for profile_id in each.profile_ids]
    id_types, hashes, profile_ids = zip(*losers, strict=True) if losers else ((), (), ())
    arrays = {"id_types": id_types, "forms": hashes, "profile_ids": profile_ids}
    await connection.execute(_MARK_LOST, _key(job) | arrays)


async def lost_forms(connection: AsyncConnection, job: Job) -> LostForms:
    forms: dict[UUID, set[bytes]] = defaultdict(set)
    for row in await connection.execute(_LOST, _key(job)):
        forms[row.profile_id].add(bytes(row.form))
    return forms


def _key(job: Job) -> dict[str, object]:
    return {"account_id": job.account_id, "operation_id": job.id}


_STAGE = text("""
    insert into preview_form (account_id, operation_id, id_type, form, profile_id, since)
    select :account_id, :operation_id, staged.*
    from unnest(
        cast(:id_types as text[]), cast(:forms as bytea[]), cast(:profile_ids as uuid[]), cast(:times as timestamptz[])
    ) as staged
""")

_COLLISIONS = text("""
    select id_type, form, array_agg(profile_id order by since, profile_id) as profile_ids,
        array_agg(since order by since, profile_id) as times
    from preview_form
    where account_id = :account_id and operation_id = :operation_id and not is_lost
    group by id_type, form
    having count(*) > 1
    order by id_type, form
""")

_MARK_LOST = text("""
    update preview_form
    set is_lost = true
    from unnest(cast(:id_types as text[]), cast(:forms as bytea[]), cast(:profile_ids as uuid[]))
        as lost (id_type, form, profile_id)
    where preview_form.account_id = :account_id and preview_form.operation_id = :operation_id
        and preview_form.id_type = lost.id_type and preview_form.form = lost.form
        and preview_form.profile_id = lost.profile_id
""")

_LOST = text("""
    select profile_id, form from preview_form
    where account_id = :account_id and operation_id = :operation_id and is_lost
""")
