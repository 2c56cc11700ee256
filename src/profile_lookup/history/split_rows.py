"""The rows that a split reads and writes.

The caller holds the lock of the profile's row, and the keys of all identifiers that come back to it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.citus.statements import in_store
from profile_lookup.database.event_rows import NumberedEvent, rewrite
from profile_lookup.identity.difference import difference_of
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.event_log import EventLog
from profile_lookup.identity.history.separations import Separation
from profile_lookup.identity.history.splitting import Person, Split, times_of_creation
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.ingest.writes import write
from profile_lookup.stores.rules_cache import StoreRules

EVENTS_PER_STATEMENT = 1000
"""A statement with all events of a large profile might take longer than the statement of a request may."""


async def held_by_others(
    connection: AsyncConnection, store: StoreRules, profile_id: UUID, identifiers: Collection[NormalizedIdentifier]
) -> set[NormalizedIdentifier]:
    """Return those of the identifiers whose types are unique and that another profile holds."""
    unique = [each for each in identifiers if each.id_type in store.settings.unique_types]
    if not unique:
        return set()
    parameters = {
        "store_id": store.id,
        "profile_id": profile_id,
        "id_types": [each.id_type for each in unique],
        "values": [each.value for each in unique],
    }
    return {unique[row.position - 1] for row in await connection.execute(_HELD_BY_OTHERS, parameters)}


async def write_split(
    connection: AsyncConnection,
    store: StoreRules,
    person: Person,
    numbers: Mapping[UUID, int],
    done: Split,
    split_events: Sequence[Event],
    *,
    keeps_apart: bool,
) -> None:
    """Make the parts profiles, each with its aliases and its events, and record the split by these events."""
    split_at = split_events[0].at
    parts = {part.profile.id: part.profile for part in done.parts}
    new = (part for part in parts.values() if part.id != person.profile.id)
    created = times_of_creation(new, [*person.events, *done.events], split_at)
    log = EventLog()
    for event in split_events:
        log.add(event, [person.profile] if event.profile_id == person.profile.id else [], forgets=False)
    stored = {person.profile.id: person.profile}
    difference = difference_of(stored, parts, parts.keys(), created, (), log)
    await write(connection, store, replace(difference, separated=parts if keeps_apart else ()))
    await _write_aliases(connection, store.id, done)
    await _write_events(connection, store.id, person.events, numbers, done.events)
    if keeps_apart:
        await insert_separations(connection, store.id, done.separations(), split_at)
    elif person.profile.separations:
        await connection.execute(_MARK_SEPARATED, {"store_id": store.id, "profile_ids": list(parts)})


async def insert_separations(
    connection: AsyncConnection, store_id: UUID, separations: Mapping[UUID, Separation], decided_at: datetime
) -> None:
    """Store what keeps these IDs apart from now on, or what lifts it."""
    parameters = {
        "store_id": store_id,
        "ids": list(separations),
        "decisions": [each.decision for each in separations.values()],
        "parts": [each.part for each in separations.values()],
        "is_lifted": [each.is_lifted for each in separations.values()],
        "decided_at": decided_at,
    }
    await connection.execute(_INSERT_SEPARATIONS, parameters)


async def _write_aliases(connection: AsyncConnection, store_id: UUID, done: Split) -> None:
    owners = {alias: part.profile.id for part in done.parts for alias in part.aliases}
    parameters = {
        "store_id": store_id,
        "canonical": [part.profile.id for part in done.parts],
        "aliases": list(owners),
        "owners": list(owners.values()),
    }
    await connection.execute(_WRITE_ALIASES, parameters)


async def _write_events(
    connection: AsyncConnection,
    store_id: UUID,
    before: Sequence[Event],
    numbers: Mapping[UUID, int],
    after: Sequence[Event],
) -> None:
    """Write the events that the split changed over the stored ones. Each keeps its number."""
    unchanged = {event.id: event for event in before}
    changed = [NumberedEvent(numbers[event.id], event) for event in after if event != unchanged[event.id]]
    for first in range(0, len(changed), EVENTS_PER_STATEMENT):
        await rewrite(connection, store_id, changed[first : first + EVENTS_PER_STATEMENT])


_HELD_BY_OTHERS = text("""
    select wanted.position
    from unnest(cast(:id_types as text[]), cast(:values as text[])) with ordinality as wanted (id_type, value, position)
    cross join lateral (
        select i.profile_id from identifier i
        where i.store_id = :store_id and i.id_type = wanted.id_type and i.value = wanted.value
        offset 0
    ) held
    where held.profile_id <> :profile_id
""")

# A profile that is there again was an alias. The request of an update may have become a profile of its own, which a
# later merge made an alias: that alias is new.
_WRITE_ALIASES = in_store(
    "split_aliases",
    """
    with revived as (
        delete from alias where store_id = :store_id and id = any (cast(:canonical as uuid[]))
    )
    insert into alias (store_id, id, profile_id)
    select :store_id, owned.id, owned.profile_id
    from unnest(cast(:aliases as uuid[]), cast(:owners as uuid[])) as owned (id, profile_id)
    on conflict (store_id, id) do update set profile_id = excluded.profile_id
""",
)

_INSERT_SEPARATIONS = text("""
    insert into separation (store_id, id, decision, part, is_lifted, decided_at)
    select :store_id, decided.id, decided.decision, decided.part, decided.is_lifted, :decided_at
    from unnest(
        cast(:ids as uuid[]), cast(:decisions as uuid[]), cast(:parts as integer[]), cast(:is_lifted as boolean[])
    ) as decided (id, decision, part, is_lifted)
""")

# An earlier split keeps some of the parts apart from others.
_MARK_SEPARATED = in_store(
    "mark_separated",
    """
    update profile set is_separated = true
    where store_id = :store_id and id = any (cast(:profile_ids as uuid[])) and not is_separated
        and separations_of(:store_id, id) is not null
""",
)
