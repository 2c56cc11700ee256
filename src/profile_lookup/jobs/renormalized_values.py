"""The values of a store and their new forms in SQL, while a change of settings normalizes the values anew.

Nobody else writes in the store meanwhile. The new forms are staged first, so that profiles which would share one are
found before any value is rewritten.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.fuzzy_key import fuzzy_key
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.person_names import MAX_NAMES
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.settings_changes.renormalization import Collision, Holder
from profile_lookup.identity.values.normalization import NormalizedValue


async def create_staging_table(connection: AsyncConnection) -> None:
    await connection.execute(_STAGING_TABLE)


async def stage(connection: AsyncConnection, id_type: str, forms: Sequence[tuple[UUID, str, str]]) -> None:
    """Stage new forms: each with its profile and the value that is stored."""
    profile_ids, values, becames = zip(*forms, strict=True)
    parameters = {"id_type": id_type, "profile_ids": profile_ids, "values": values, "becames": becames}
    await connection.execute(_STAGE, parameters)


async def analyze_staged(connection: AsyncConnection) -> None:
    await connection.execute(text("analyze renormalized"))


async def staged_collisions(
    connection: AsyncConnection, store_id: UUID, id_type: str
) -> list[Collision[NormalizedIdentifier]]:
    """Return the collisions by values of this type once all have their new forms."""
    rows = await connection.execute(_COLLISIONS, {"store_id": store_id, "id_type": id_type})
    return [
        Collision(
            id_type,
            NormalizedIdentifier(id_type, NormalizedValue(row.value)),
            [Holder(*each) for each in zip(row.times, row.profile_ids, strict=True)],
        )
        for row in rows
    ]


async def update_marks(
    connection: AsyncConnection, store_id: UUID, settings: IdentityResolutionSettings, id_type: str
) -> None:
    """Give the stored identifiers of this type the marks of these settings: whether they are unique, and fuzzy."""
    await connection.execute(_UPDATE_MARKS, _marks(store_id, settings, id_type))


async def rewrite_values(
    connection: AsyncConnection, store_id: UUID, settings: IdentityResolutionSettings, id_type: str
) -> None:
    """Put the staged forms of this type in the place of the stored values that are still there."""
    await connection.execute(_REWRITE, {**_marks(store_id, settings, id_type), "max_names": MAX_NAMES})


def _marks(store_id: UUID, settings: IdentityResolutionSettings, id_type: str) -> dict[str, object]:
    return {
        "store_id": store_id,
        "id_type": id_type,
        "is_unique": settings.is_unique(id_type),
        "fuzzy_key": fuzzy_key(settings, store_id, id_type),
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
    select value, array_agg(profile_id order by since, profile_id) as profile_ids,
        array_agg(since order by since, profile_id) as times
    from (
        select coalesce(renormalized.became, identifier.value) as value, identifier.profile_id,
            min(identifier.added_at) as since
        from identifier
        left join renormalized using (id_type, profile_id, value)
        where identifier.store_id = :store_id and identifier.id_type = :id_type
        group by 1, 2
    ) as after
    group by value
    having count(*) > 1
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
