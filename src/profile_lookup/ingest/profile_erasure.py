"""The erasure of profiles, with everything that any table holds of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Holdings:
    """How much the tables hold of a profile: all that `erase_profiles` deletes.

    Identifiers are counted by type, and traits by group. `former_ids` are those of merged profiles.
    `events` do not count the creation of a profile to which nothing else has happened: it is in the profile's own row.
    """

    identifiers: Mapping[str, int]
    traits: Mapping[str, int]
    former_ids: int
    events: int
    separations: int
    suspicions: int


async def holdings_of(connection: AsyncConnection, store_id: UUID, profile_id: UUID) -> Holdings:
    """Count what the tables hold of a canonical profile, at one moment. Of an unknown one, they hold nothing."""
    rows = (await connection.execute(_COUNT, {"store_id": store_id, "profile_id": profile_id})).all()
    counts = {(row.part, row.name): int(row.number) for row in rows}

    def by_name(part: str) -> dict[str, int]:
        return {name: number for (of, name), number in counts.items() if of == part}

    return Holdings(
        identifiers=by_name("identifier"),
        traits=by_name("trait"),
        former_ids=counts["alias", ""],
        events=counts["event", ""],
        separations=counts["separation", ""],
        suspicions=counts["suspect", ""],
    )


async def erase_profiles(connection: AsyncConnection, store_id: UUID, profile_ids: Sequence[UUID]) -> None:
    """Delete profiles with everything that any table holds of them: identifiers, traits, aliases and events."""
    await connection.execute(_ERASE, {"store_id": store_id, "profile_ids": profile_ids})


_ERASE = text("""
    with
    unidentified as (
        delete from identifier
        where store_id is not distinct from :store_id and profile_id = any (cast(:profile_ids as uuid[]))
    ),
    unaliased as (
        delete from alias where store_id = :store_id and profile_id = any (cast(:profile_ids as uuid[]))
        returning id
    ),
    unsuspected as (
        delete from suspect where store_id = :store_id and profile_id = any (cast(:profile_ids as uuid[]))
    ),
    -- An event has the profile that was canonical then, which may be an alias by now.
    unrecorded as (
        delete from event
        where store_id is not distinct from :store_id
            and profile_id = any (cast(:profile_ids as uuid[]) || array(select id from unaliased))
    ),
    unseparated as (
        delete from separation
        where store_id = :store_id and id = any (cast(:profile_ids as uuid[]) || array(select id from unaliased))
    )
    delete from profile where store_id = :store_id and id = any (cast(:profile_ids as uuid[]))
""")

_COUNT = text("""
    with ids as (
        select cast(:profile_id as uuid) as id
        union all
        select id from alias where store_id = :store_id and profile_id = :profile_id
    )
    select 'identifier' as part, id_type as name, count(*) as number
    from identifier where store_id is not distinct from :store_id and profile_id = :profile_id
    group by id_type
    union all
    select 'trait', described.key, count(*)
    from profile cross join jsonb_each(traits) described cross join jsonb_each(described.value) written
    where store_id = :store_id and id = :profile_id
    group by described.key
    union all
    select 'alias', '', count(*) - 1 from ids
    union all
    select 'event', '', count(*)
    from event where store_id is not distinct from :store_id and profile_id = any (array(select id from ids))
    union all
    select 'separation', '', count(*)
    from separation where store_id = :store_id and id = any (array(select id from ids))
    union all
    select 'suspect', '', count(*) from suspect where store_id = :store_id and profile_id = :profile_id
    order by part, name
""")
