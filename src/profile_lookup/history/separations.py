"""Separations in SQL: which profiles a split keeps apart, and how that is lifted.

A profile is kept apart from another one if any ID of the one is from any ID of the other. The newest decision about two
IDs counts: see `identity/history/separations.py`.
"""

from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import DateTime, Select, Uuid, column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.event_rows import ids_of_people
from profile_lookup.database.ids import new_id
from profile_lookup.database.keyset import Key
from profile_lookup.database.pool import Database
from profile_lookup.errors import SeparationNotFound
from profile_lookup.history.split_rows import insert_separations
from profile_lookup.identity.history.separations import parted
from profile_lookup.ingest.aliases import moved_or_not_found
from profile_lookup.ingest.identity_locks import CandidateMoved, write_in_transaction
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import share_rules

# IDs of the profile that are kept apart by the same decisions count once. Most profiles have only such IDs.
_SEPARATIONS = text("""
    select coalesce(alias.profile_id, pair.id) as profile_id, min(pair.decided_at) as since,
        (array_agg(pair.decision order by pair.decided_at, pair.decision))[1] as event
    from (
        select distinct on (mine.id, theirs.id) theirs.id, mine.decision, mine.is_lifted, theirs.decided_at
        from (
            select (array_agg(own.id))[1] as id, own.decisions, own.parts
            from (
                select s.id, array_agg(s.decision order by s.decision) as decisions,
                    array_agg(s.part order by s.decision) as parts
                from separation s
                where s.store_id = :store_id and s.id = any (cast(:ids as uuid[]))
                group by s.id
            ) own
            group by own.decisions, own.parts
        ) of_ids
        join separation mine on mine.store_id = :store_id and mine.id = of_ids.id
        join separation theirs on theirs.store_id = :store_id and theirs.decision = mine.decision
            and theirs.part <> mine.part
        order by mine.id, theirs.id, mine.decision desc
    ) pair
    left join alias on alias.store_id = :store_id and alias.id = pair.id
    where not pair.is_lifted
    group by 1
""")


async def separations_of(
    connection: AsyncConnection, store: StoreRules, profile_id: UUID
) -> tuple[Select[tuple[UUID, datetime, UUID]], Key]:
    """Return the query for the profiles from which this one is kept apart, and the key to fetch it page by page."""
    ids = await ids_of_people(connection, store.id, [profile_id])
    columns = column("profile_id", Uuid), column("since", DateTime(timezone=True)), column("event", Uuid)
    found = _SEPARATIONS.bindparams(store_id=store.id, ids=ids).columns(*columns).subquery("found")
    return select(found.c.profile_id, found.c.since, found.c.event), Key((found.c.since, found.c.profile_id))


async def lift_separation(
    database: Database, store: StoreRules, profile_id: UUID, other_id: UUID, requested_at: datetime
) -> None:
    """Let two profiles become one person again, if later writes say that they are.

    Raises `SeparationNotFound`, `ProfileMoved`, `ProfileNotFound`, `StoreNotFound` or `Unavailable`.
    """

    async def lift(store: StoreRules, connection: AsyncConnection) -> None:
        others = await ids_of_people(connection, store.id, [other_id])
        await _lock(connection, store, profile_id, min(others))
        separations, _ = await separations_of(connection, store, profile_id)
        if min(others) not in [row.profile_id for row in await connection.execute(separations)]:
            raise SeparationNotFound
        own = await ids_of_people(connection, store.id, [profile_id])
        others = await ids_of_people(connection, store.id, [other_id])
        await insert_separations(connection, store.id, parted(new_id(), [own, others], is_lifted=True), requested_at)

    await write_in_transaction(database, store, lambda store: partial(lift, store))


async def _lock(connection: AsyncConnection, store: StoreRules, profile_id: UUID, other_id: UUID) -> None:
    """Lock the rows of two profiles in the order in which every write locks them.

    Raises `ProfileMoved` or `ProfileNotFound` of the first one. If the second one is not there, it is kept apart from
    nobody; or it was merged a moment ago: then this raises `CandidateMoved`.
    """
    await share_rules(connection, store.account_id, store.id)
    parameters = {"store_id": store.id, "profile_ids": [profile_id, other_id]}
    locked = (await connection.execute(_LOCK, parameters)).scalars().all()
    if profile_id not in locked:
        raise await moved_or_not_found(connection, store, profile_id)
    if other_id not in locked and min(await ids_of_people(connection, store.id, [other_id])) != other_id:
        raise CandidateMoved


_LOCK = text("""
    select id from profile
    where store_id = :store_id and id = any (cast(:profile_ids as uuid[]))
    order by id
    for no key update
""")
