"""Reads the rows of `event`, and converts them.

A profile to which nothing has happened since it was created has no row: its own row says all that the event would say.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.citus.statements import in_store
from profile_lookup.database.documents import json_text
from profile_lookup.identity.history.event import Event, EventKind
from profile_lookup.identity.history.event_document import event_document, event_of_document


class NumberedEvent(NamedTuple):
    """An event and its number, by which it is found again."""

    number: int
    event: Event


async def ids_of_people(connection: AsyncConnection, store_id: UUID, profile_ids: Collection[UUID]) -> list[UUID]:
    """Return the canonical ID and all aliases of whoever has one of these IDs."""
    parameters = {"store_id": store_id, "profile_ids": list(profile_ids)}
    return list((await connection.execute(_IDS, parameters)).scalars())


async def events_of(connection: AsyncConnection, store_id: UUID, ids: Collection[UUID]) -> list[NumberedEvent]:
    """Return the events of a person whose IDs these are, earliest first."""
    rows = await connection.execute(_EVENTS, {"store_id": store_id, "ids": list(ids)})
    return list(numbered_events(rows))


async def next_events(connection: AsyncConnection, store_id: UUID, after: int, limit: int) -> list[NumberedEvent]:
    """Return events of a store's profiles whose numbers are higher than `after`, in the order of their numbers.

    Those of erased profiles are left out: they say nothing but IDs.
    """
    parameters = {"store_id": store_id, "after": after, "limit": limit}
    return list(numbered_events(await connection.execute(NEXT_EVENTS, parameters)))


async def last_number(connection: AsyncConnection, store_id: UUID) -> int:
    """Return the number that was drawn last for an event, of whatever store; on Citus, of one on the same node."""
    number: int = (await connection.execute(_LAST_NUMBER, {"store_id": store_id})).scalar_one()
    return number


async def lock_people(connection: AsyncConnection, store_id: UUID, profile_ids: Collection[UUID]) -> bool:
    """Lock the profiles of whoever has one of these IDs.

    Return whether they are still theirs: while we waited, an ID may have become that of a profile that we do not hold.
    """
    parameters = {"store_id": store_id, "profile_ids": list(profile_ids)}
    locked = set((await connection.execute(_LOCK, parameters)).scalars())
    return locked.issuperset((await connection.execute(_CANONICAL, parameters)).scalars())


async def rewrite(connection: AsyncConnection, store_id: UUID, events: Sequence[NumberedEvent]) -> None:
    """Write these events over the stored ones. The caller holds the locks of their profiles."""
    if not events:
        return
    columns = list(zip(*((number, *event_row(store_id, event)) for number, event in events), strict=True))
    names = ("number", *EVENT_COLUMNS)
    await connection.execute(
        _REWRITE, {"store_id": store_id} | {name: list(column) for name, column in zip(names, columns, strict=True)}
    )


def numbered_events(rows: Iterable[Row[Any]]) -> Iterator[NumberedEvent]:
    for row in rows:
        kind = cast("EventKind", row.kind)
        yield NumberedEvent(row.number, event_of_document(row.id, kind, row.happened_at, row.profile_id, row.document))


EVENT_COLUMNS = {
    "id": "uuid", "profile_id": "uuid", "kind": "text", "happened_at": "timestamptz", "document": "json",
    "repetition_key": "bigint",
}  # fmt: skip


def event_row(store_id: UUID, event: Event) -> tuple[object, ...]:
    """Return the values of `EVENT_COLUMNS`."""
    document = json_text(event_document(event))
    return event.id, event.profile_id, event.kind, event.at, document, _repetition_key(store_id, event)


def _repetition_key(store_id: UUID, event: Event) -> int | None:
    """Return a number that is the same for events of a profile that repeat each other."""
    content = event.repeated_content
    if content is None:
        return None
    digest = blake2b(repr(content).encode(), digest_size=8, key=store_id.bytes)
    return int.from_bytes(digest.digest(), signed=True)


_CANONICAL = text("""
    select coalesce(
        (select alias.profile_id from alias where alias.store_id = :store_id and alias.id = sought.id), sought.id
    ) as id
    from unnest(cast(:profile_ids as uuid[])) as sought (id)
""")

_LOCK = text(f"""
    select profile.id from profile
    where profile.store_id = :store_id and profile.id = any (array({_CANONICAL.text}))
    order by profile.id
    for no key update
""")  # noqa: S608 -- made of the constant above

_IDS = text(f"""
    with canonical as ({_CANONICAL.text})
    select id from canonical
    union
    select alias.id from alias
    where alias.store_id = :store_id and alias.profile_id = any (array(select id from canonical))
""")  # noqa: S608 -- made of the constant above

_EVENTS = text("""
    select number, id, kind, happened_at, profile_id, document
    from event
    where store_id is not distinct from :store_id and profile_id = any (cast(:ids as uuid[]))
    order by number
""")

# Each event is found by one index probe, whatever the planner believes of how many there are.
NEXT_EVENTS = text("""
    select number, id, kind, happened_at, profile_id, document
    from event
    where store_id = :store_id and number > :after and profile_id is not null and kind <> 'erased'
    order by number
    limit :limit
""")

_LAST_NUMBER = in_store(
    "last_event_number",
    """
    select case when is_called then last_value else 0 end as number from event_number
    where cast(:store_id as uuid) is not null
""",
)

_REWRITE = text(f"""
    update event
    set
        id = became.id, profile_id = became.profile_id, kind = became.kind, happened_at = became.happened_at,
        document = cast(became.document as json), repetition_key = became.repetition_key
    from unnest(
        cast(:number as bigint[]),
        {", ".join(f"cast(:{n} as {'text' if k == 'json' else k}[])" for n, k in EVENT_COLUMNS.items())}
    ) as became (number, {", ".join(EVENT_COLUMNS)})
    cross join lateral (
        select e.ctid from event e where e.store_id = :store_id and e.number = became.number offset 0
    ) stored
    where event.store_id is not distinct from :store_id and event.ctid = stored.ctid
""")  # noqa: S608 -- made of the constants above
