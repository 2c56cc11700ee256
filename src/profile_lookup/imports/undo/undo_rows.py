"""Writes what is left of people without an import. The caller has locked them.

The events of the import are deleted. So the store is as if they had never been, but for the events that say that the
import was undone: clients who follow the feed need them. An archive has none of these.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.citus.statements import in_store
from profile_lookup.database.documents import actor_text
from profile_lookup.database.event_rows import NumberedEvent, rewrite
from profile_lookup.database.ids import new_id
from profile_lookup.identity.difference import difference_of
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.event_log import EventLog
from profile_lookup.identity.history.import_undo import PersonWithoutImport
from profile_lookup.identity.history.splitting import Part, Person, times_of_creation
from profile_lookup.identity.profile import Profile
from profile_lookup.ingest.writes import write
from profile_lookup.stores.rules_cache import StoreRules

Left = tuple[Person, PersonWithoutImport]


async def write_people(
    connection: AsyncConnection,
    store: StoreRules,
    people: Sequence[Left],
    numbers: Mapping[UUID, int],
    at: datetime,
    actor: Actor,
) -> None:
    """Write what is left of these people. `numbers` are those of their stored events, by the IDs of these."""
    parts = {part.profile.id: part for _, left in people for part in left.parts}
    stored = {
        person.profile.id: person.profile
        for person, _ in people
        if person.profile.id in parts and not parts[person.profile.id].is_new
    }
    gone = [person.profile.id for person, _ in people if person.profile.id not in stored]
    await _delete(connection, store.id, [person.profile.id for person, _ in people], gone)
    profiles = {each: part.profile for each, part in parts.items()}
    created: dict[UUID, datetime] = {}
    log = EventLog()
    for person, left in people:
        new = (part.profile for part in left.parts if part.profile.id not in stored)
        created |= times_of_creation(new, [*person.events, *left.events], at)
        for event in _events_of_undo(left, at, actor):
            log.add(event, [])
    await write(connection, store, difference_of(stored, profiles, profiles.keys(), created, (), log))
    await _write_aliases(connection, store.id, parts.values())
    await _write_names(connection, store.id, stored, profiles)
    if any(person.profile.separations for person, _ in people):
        await connection.execute(_MARK_SEPARATED, {"store_id": store.id, "profile_ids": list(parts)})
    await _write_events(connection, store.id, people, numbers)


def _events_of_undo(left: PersonWithoutImport, at: datetime, actor: Actor) -> Iterator[Event]:
    """Yield the events by which clients learn what has become of a person."""
    for part in left.parts:
        yield Event(new_id(), "importUndone", at, part.profile.id, actor=actor)
    if left.erased:
        first, *others = sorted(left.erased)
        absorbed = tuple(Profile(each, {}, {}) for each in others)
        yield Event(new_id(), "erased", at, first, absorbed=absorbed, actor=actor)


async def _delete(
    connection: AsyncConnection, store_id: UUID, profile_ids: Sequence[UUID], gone: Sequence[UUID]
) -> None:
    """Delete the aliases of all these profiles, and the rows of those that are gone. Their events stay for now."""
    parameters = {"store_id": store_id, "profile_ids": profile_ids, "gone": gone}
    await connection.execute(_DELETE_ALIASES, parameters)
    if gone:
        await connection.execute(_DELETE_PROFILES, parameters)


async def _write_aliases(connection: AsyncConnection, store_id: UUID, parts: Iterable[Part]) -> None:
    owners = {alias: part.profile.id for part in parts for alias in part.aliases}
    if owners:
        parameters = {"store_id": store_id, "aliases": list(owners), "owners": list(owners.values())}
        await connection.execute(_INSERT_ALIASES, parameters)


async def _write_names(
    connection: AsyncConnection, store_id: UUID, before: Mapping[UUID, Profile], after: Mapping[UUID, Profile]
) -> None:
    """Delete the counted names of values that were written under one name alone, but for the import."""
    single = [
        (profile_id, each)
        for profile_id, profile in before.items()
        for each in profile.names
        if each in after[profile_id].identifiers and each not in after[profile_id].names
    ]
    if single:
        parameters = {
            "store_id": store_id,
            "profile_ids": [profile_id for profile_id, _ in single],
            "id_types": [each.id_type for _, each in single],
            "values": [each.value for _, each in single],
        }
        await connection.execute(_DELETE_NAMES, parameters)


async def _write_events(
    connection: AsyncConnection, store_id: UUID, people: Sequence[Left], numbers: Mapping[UUID, int]
) -> None:
    """Delete the events that are left out, and write the others over the stored ones. Each keeps its number."""
    before = {event.id: event for person, _ in people for event in person.events}
    left = {event.id: event for _, left in people for event in left.events}
    changed = [NumberedEvent(numbers[each.id], each) for each in left.values() if each != before[each.id]]
    await rewrite(connection, store_id, changed)
    deleted = [numbers[each] for each in before.keys() - left.keys() if each in numbers]
    await connection.execute(_DELETE_EVENTS, {"store_id": store_id, "numbers": deleted})
    creations = [each for _, left in people for each in left.creations()]
    if creations:
        parameters = {
            "store_id": store_id,
            "profile_ids": [event.profile_id for event, _ in creations],
            "numbers": [numbers[event.id] for event, _ in creations],
            "times": [creation.at for _, creation in creations],
            "actors": [actor_text(creation.actor) for _, creation in creations],
        }
        await connection.execute(_STORE_AS_CREATED, parameters)


_DELETE_ALIASES = text(
    "delete from alias where store_id = :store_id and profile_id = any (cast(:profile_ids as uuid[]))"
)

_DELETE_PROFILES = text("""
    with unidentified as (
        delete from identifier
        where store_id is not distinct from :store_id and profile_id = any (cast(:gone as uuid[]))
    )
    delete from profile where store_id = :store_id and id = any (cast(:gone as uuid[]))
""")

_INSERT_ALIASES = text("""
    insert into alias (store_id, id, profile_id)
    select :store_id, owned.id, owned.profile_id
    from unnest(cast(:aliases as uuid[]), cast(:owners as uuid[])) as owned (id, profile_id)
""")

# The lateral subqueries with their offset are one index probe for each row, whatever the planner believes.
_DELETE_NAMES = text("""
    update identifier set names = null
    from unnest(cast(:profile_ids as uuid[]), cast(:id_types as text[]), cast(:values as text[]))
        as single (profile_id, id_type, value)
    cross join lateral (
        select i.ctid from identifier i
        where i.store_id is not distinct from :store_id and i.profile_id = single.profile_id
            and i.id_type = single.id_type and i.value = single.value
        offset 0
    ) held
    where identifier.store_id is not distinct from :store_id and identifier.ctid = held.ctid
""")

_MARK_SEPARATED = in_store(
    "mark_separated_by_undo",
    """
    update profile set is_separated = true
    where store_id = :store_id and id = any (cast(:profile_ids as uuid[])) and not is_separated
        and separations_of(:store_id, id) is not null
""",
)

_DELETE_EVENTS = text("delete from event where store_id = :store_id and number = any (cast(:numbers as bigint[]))")

# As a creation that nobody has changed, the row of the profile says all that the event would say.
_STORE_AS_CREATED = text("""
    with as_created as (
        update profile
        set creation_number = creation.number, created_by = creation.actor
        from unnest(
            cast(:profile_ids as uuid[]), cast(:numbers as bigint[]), cast(:times as timestamptz[]),
            cast(:actors as text[])
        ) as creation (profile_id, number, at, actor)
        where profile.store_id = :store_id and profile.id = creation.profile_id and profile.created_at = creation.at
            and profile.id = any (cast(:profile_ids as uuid[]))
        returning creation.number
    )
    delete from event where store_id = :store_id and number = any (array(select number from as_created))
""")
