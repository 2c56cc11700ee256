"""The people whom an import changed, as they are while they are locked."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.event_rows import events_of, lock_people
from profile_lookup.identity.history.event_log import creation_event
from profile_lookup.identity.history.splitting import Person
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.ingest.identity_locks import CandidateMoved, lock_and_gather
from profile_lookup.ingest.locked_profiles import profiles_with
from profile_lookup.stores.rules_cache import StoreRules

if TYPE_CHECKING:
    from profile_lookup.identity.history.event import Event


@dataclass(frozen=True, slots=True)
class LockedPeople:
    """People by their canonical IDs, and the numbers of their stored events by the IDs of these."""

    people: Mapping[UUID, Person]
    numbers: Mapping[UUID, int]


async def locked_people(
    connection: AsyncConnection,
    store: StoreRules,
    profile_ids: Collection[UUID],
    returning: Collection[NormalizedIdentifier],
) -> LockedPeople:
    """Lock the keys of identifiers that may come back, and then the profiles of these people, and return the people.

    Raises `RulesChanged` or `CandidateMoved`.
    """
    await lock_and_gather(connection, store, reserved=returning)
    if not await lock_people(connection, store.id, profile_ids):
        raise CandidateMoved
    parameters = {"store_id": store.id, "profile_ids": list(profile_ids)}
    owner = {row.id: row.profile_id for row in await connection.execute(_IDS, parameters)}
    profiles = await profiles_with(connection, store, list(dict.fromkeys(owner.values())))
    stored = await events_of(connection, store.id, owner.keys())
    aliases: dict[UUID, set[UUID]] = {profile.id: set() for profile in profiles}
    events: dict[UUID, list[Event]] = {
        profile.id: [] if profile.creation is None else [creation_event(profile, profile.creation)]
        for profile in profiles
    }
    for each, canonical in owner.items():
        if each != canonical:
            aliases[canonical].add(each)
    for _, event in stored:
        events[owner[event.profile_id]].append(event)
    return LockedPeople(
        {each.id: Person(each, frozenset(aliases[each.id]), events[each.id]) for each in profiles},
        {event.id: number for number, event in stored},
    )


async def holders_of(
    connection: AsyncConnection, store: StoreRules, identifiers: Iterable[NormalizedIdentifier]
) -> dict[NormalizedIdentifier, UUID]:
    """Return who holds those of the identifiers that only one profile may hold."""
    unique = [each for each in identifiers if each.id_type in store.settings.unique_types]
    if not unique:
        return {}
    parameters = {
        "store_id": store.id,
        "id_types": [each.id_type for each in unique],
        "values": [each.value for each in unique],
    }
    return {unique[row.place - 1]: row.profile_id for row in await connection.execute(_HOLDERS, parameters)}


_IDS = text("""
    with canonical as (
        select distinct coalesce(
            (select a.profile_id from alias a where a.store_id = :store_id and a.id = sought.id), sought.id
        ) as id
        from unnest(cast(:profile_ids as uuid[])) as sought (id)
    )
    select canonical.id, canonical.id as profile_id from canonical
    union all
    select alias.id, alias.profile_id from alias
    where alias.store_id = :store_id and alias.profile_id = any (array(select canonical.id from canonical))
""")

_HOLDERS = text("""
    select wanted.place, held.profile_id
    from unnest(cast(:id_types as text[]), cast(:values as text[])) with ordinality as wanted (id_type, value, place)
    cross join lateral (
        select i.profile_id from identifier i
        where i.store_id = :store_id and i.id_type = wanted.id_type and i.value = wanted.value
        offset 0
    ) held
""")
