"""Queries for events, and for a person with its whole history."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Row, Select, Uuid, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database import event_rows
from profile_lookup.database.documents import actor_of
from profile_lookup.database.keyset import Key
from profile_lookup.database.tables import event
from profile_lookup.identity.history.creation import Creation
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.event_log import creation_event
from profile_lookup.identity.history.splitting import Person
from profile_lookup.identity.profile import Profile
from profile_lookup.ingest.aliases import moved_or_not_found
from profile_lookup.ingest.locked_profiles import profile_of
from profile_lookup.stores.rules_cache import StoreRules

EVENTS_KEY = Key((event.c.number,))

_COLUMNS = (event.c.number, event.c.id, event.c.kind, event.c.happened_at, event.c.profile_id, event.c.document)


def shown_events_of(store: StoreRules, ids: Collection[UUID]) -> Select[Any]:
    """Return the query for the stored events of a person with these IDs, but for those that nobody sees."""
    return select(*_COLUMNS).where(
        event.c.store_id.is_not_distinct_from(store.id),
        event.c.profile_id == any_(bindparam("ids", list(ids), ARRAY(Uuid))),
        event.c.repetition_key.is_(None),
    )


async def creation_of(connection: AsyncConnection, store: StoreRules, profile_id: UUID) -> Event | None:
    """Return the event of the creation of a profile, or None if something else has happened to it since.

    Raises `ProfileMoved` or `ProfileNotFound`.
    """
    row = await _profile_row(connection, store, profile_id)
    return None if row.creation_number is None else _created(store, row)


async def fetch_person(connection: AsyncConnection, store: StoreRules, profile_id: UUID) -> Person:
    """Return a person with all its events. `connection` sees one moment. Raises `ProfileMoved` or `ProfileNotFound`."""
    row = await _profile_row(connection, store, profile_id)
    profile = profile_of(row, store.trait_groups)
    if row.creation_number is not None:
        profile = replace(profile, creation=_creation_of_row(row))
    person, _ = await person_of(connection, store, profile)
    return person


async def person_of(
    connection: AsyncConnection, store: StoreRules, profile: Profile
) -> tuple[Person, Mapping[UUID, int]]:
    """Return the person that a canonical profile is, with all its events, and the numbers of those that are stored.

    Until the events are read, nobody may change the profile: it is locked, or `connection` sees one moment.
    """
    ids = await event_rows.ids_of_people(connection, store.id, [profile.id])
    stored = await event_rows.events_of(connection, store.id, ids)
    events = [event for _, event in stored]
    if profile.creation is not None:
        events.insert(0, creation_event(profile, profile.creation))
    person = Person(profile, frozenset(ids) - {profile.id}, events)
    return person, {event.id: number for number, event in stored}


async def has_more_events(connection: AsyncConnection, store: StoreRules, profile_id: UUID, number: int) -> bool:
    """Return whether more events than this number are stored of the person with this canonical ID."""
    ids = await event_rows.ids_of_people(connection, store.id, [profile_id])
    parameters = {"store_id": store.id, "ids": ids, "number": number}
    return bool(await connection.scalar(_HAS_MORE_EVENTS, parameters))


async def events_by_number(
    connection: AsyncConnection, store: StoreRules, numbers: Sequence[int]
) -> Mapping[int, Event]:
    """Return the events of a store that have these numbers, but for those that nobody sees."""
    query = select(*_COLUMNS).where(
        event.c.store_id == store.id,
        event.c.number == any_(bindparam("numbers", list(numbers), ARRAY(BigInteger))),
        event.c.repetition_key.is_(None),
    )
    stored = event_rows.numbered_events(await connection.execute(query))
    created = await connection.execute(_PROFILES_CREATED, {"store_id": store.id, "numbers": numbers})
    found = {**dict(stored), **dict(_numbered_creations(store, created.all()))}
    return {number: each for number, each in found.items() if each.is_shown}


def _numbered_creations(store: StoreRules, rows: Sequence[Row[Any]]) -> Iterator[tuple[int, Event]]:
    for row in rows:
        yield row.creation_number, _created(store, row)


def _created(store: StoreRules, row: Row[Any]) -> Event:
    return creation_event(profile_of(row, store.trait_groups), _creation_of_row(row))


def _creation_of_row(row: Row[Any]) -> Creation:
    return Creation(row.created_at, actor_of(row.created_by))


async def _profile_row(connection: AsyncConnection, store: StoreRules, profile_id: UUID) -> Row[Any]:
    parameters = {"store_id": store.id, "profile_id": profile_id}
    row = (await connection.execute(_PROFILE, parameters)).one_or_none()
    if row is None:
        raise await moved_or_not_found(connection, store, profile_id)
    return row


# As many rows of one index as the number, and one more, are read, however many there are.
_HAS_MORE_EVENTS = text("""
    select count(*) > :number
    from (
        select from event
        where store_id is not distinct from :store_id and profile_id = any (cast(:ids as uuid[]))
        limit cast(:number as bigint) + 1
    ) counted
""")

_PROFILES = """
    select p.id as profile_id, p.created_at, p.traits, p.creation_number, p.created_by, held.*
    from profile p
    cross join lateral (
        select
            array_agg(i.id_type) as identifier_types, array_agg(i.value) as identifier_values,
            array_agg(i.added_at) as identifier_times
        from identifier i where i.store_id is not distinct from p.store_id and i.profile_id = p.id
    ) held
    where p.store_id = :store_id and
"""
_PROFILE = text(f"{_PROFILES} p.id = :profile_id")
_PROFILES_CREATED = text(f"{_PROFILES} p.creation_number = any (cast(:numbers as bigint[]))")
