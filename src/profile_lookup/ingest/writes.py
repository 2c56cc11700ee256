"""Writes of profiles, identifiers and events in SQL, each in one statement.

The caller holds the locks of `lock_and_gather`, so no constraint can fire. `on conflict` is used only for rows of the
locked profiles themselves.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import actor_text, serialized_traits
from profile_lookup.database.event_rows import EVENT_COLUMNS, event_row
from profile_lookup.database.fuzzy_key import fuzzy_key
from profile_lookup.identity.difference import Difference
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.profile import Trait, TraitName
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.ingest.forgetting import forget
from profile_lookup.ingest.large_profiles import count_identifiers
from profile_lookup.stores.rules_cache import StoreRules


async def write(
    connection: AsyncConnection,
    store: StoreRules,
    difference: Difference,
    settings: IdentityResolutionSettings | None = None,
) -> None:
    """Write the difference to the tables, of one profile or of hundreds, by one statement.

    What the writes forget leaves the earlier events by further statements before, and only profiles with very many
    identifiers need one more. `settings` replace those of the store while these change.
    """
    if difference.aliases:
        statement = _MERGE
    elif difference.only_creates_profiles:
        statement = _CREATE
    else:
        statement = _UPDATE
    for forgotten in difference.forgotten:
        await forget(connection, store, forgotten)
    await connection.execute(statement, _parameters(settings or store.settings, store.id, difference))
    await count_identifiers(connection, store.id, difference.possibly_large)


_COLUMNS = {
    "created": {
        "id": "uuid", "created_at": "timestamptz", "traits": "jsonb",
        "is_as_created": "boolean", "created_by": "text", "is_separated": "boolean",
    },
    "put": {
        "profile_id": "uuid", "id_type": "text", "value": "text",
        "is_unique": "boolean", "fuzzy_key": "bigint", "added_at": "timestamptz", "names": "text",
    },
    "dropped": {"profile_id": "uuid", "id_type": "text", "value": "text"},
    "amended": {
        "id": "uuid", "traits": "jsonb", "is_no_longer_as_created": "boolean", "is_separated": "boolean",
    },
    "aliased": {"id": "uuid", "profile_id": "uuid"},
    "recorded": {**EVENT_COLUMNS, "is_repeated": "boolean"},
}  # fmt: skip
"""The parameters of a statement: each column of these tables is passed as an array."""


def _parameters(settings: IdentityResolutionSettings, store_id: UUID, difference: Difference) -> dict[str, Any]:
    id_types = {identifier.id_type for _, identifier, _ in difference.upserted_identifiers}
    marks = {each: (settings.is_unique(each), fuzzy_key(settings, store_id, each)) for each in id_types}
    rows: dict[str, Iterable[Sequence[object]]] = {
        "created": [
            (
                profile_id,
                created_at,
                _traits(difference.traits.get(profile_id, {}), created_at),
                profile_id in difference.creations,
                _created_by(difference, profile_id),
                profile_id in difference.separated,
            )
            for profile_id, created_at in difference.created.items()
        ],
        "put": [
            (profile_id, *each, *marks[each.id_type], added_at, _array(difference.names.get((profile_id, each))))
            for profile_id, each, added_at in difference.upserted_identifiers
        ],
        "dropped": [(profile_id, *each) for profile_id, each in difference.deleted_identifiers],
        "amended": [
            (
                profile_id,
                _traits(difference.traits[profile_id]) if profile_id in difference.traits else None,
                profile_id in difference.no_longer_as_created,
                profile_id in difference.separated,
            )
            for profile_id in {*difference.traits, *difference.no_longer_as_created, *difference.separated}
            if profile_id not in difference.created
        ],
        "aliased": difference.aliases.items(),
        "recorded": _recorded(store_id, difference.events),
    }
    parameters: dict[str, Any] = {"store_id": store_id}
    for table, columns in _COLUMNS.items():
        arrays = list(zip(*rows[table], strict=True)) or [()] * len(columns)
        parameters |= {f"{table}_{column}": array for column, array in zip(columns, arrays, strict=True)}
    return parameters


def _traits(traits: Mapping[TraitName, Trait], created_at: datetime | None = None) -> str:
    return json.dumps(serialized_traits(traits, created_at))


def _recorded(store_id: UUID, events: Sequence[Event]) -> list[tuple[object, ...]]:
    """Return the rows of these events, and whether a later one repeats each; of repetitions, the first and the last."""
    rows = [event_row(store_id, event) for event in events]
    repetitions: dict[tuple[UUID, object], list[int]] = {}
    for place, (event, (*_, repetition_key)) in enumerate(zip(events, rows, strict=True)):
        if repetition_key is not None:
            repetitions.setdefault((event.profile_id, repetition_key), []).append(place)
    repeated = {first for first, *later in repetitions.values() if later}
    left_out = {place for places in repetitions.values() for place in places[1:-1]}
    return [(*row, place in repeated) for place, row in enumerate(rows) if place not in left_out]


def _created_by(difference: Difference, profile_id: UUID) -> str | None:
    creation = difference.creations.get(profile_id)
    return None if creation is None else actor_text(creation.actor)


def _array(items: Sequence[object] | None) -> str | None:
    """Return PostgreSQL's text of an array, since arrays of several lengths do not fit in an array."""
    return None if items is None else f"{{{','.join(map(str, items))}}}"


def _rows(table: str, named: str | None = None) -> str:
    columns = _COLUMNS[table]
    # JSON is passed as text, since that is how the driver sends it.
    arrays = ", ".join(
        f"cast(:{table}_{column} as {'text' if kind in {'json', 'jsonb'} else kind}[])"
        for column, kind in columns.items()
    )
    return f"unnest({arrays}) as {named or table} ({', '.join(columns)})"


_PUT_PROFILES = f"""
    insert into profile (store_id, id, created_at, traits, creation_number, created_by, is_separated)
    select
        :store_id, created.id, created.created_at, cast(created.traits as jsonb),
        case when created.is_as_created then nextval('event_number') end, created.created_by, created.is_separated
    from {_rows("created")}
"""  # noqa: S608 -- made of the constants above

_PUT_IDENTIFIERS = f"""
    insert into identifier (store_id, id_type, value, profile_id, shared_by, fuzzy_key, added_at, names)
    select
        :store_id, put.id_type, put.value, put.profile_id,
        case when put.is_unique then '' else uuid_send(put.profile_id) end, put.fuzzy_key, put.added_at, {{names}}
    from {_rows("put")}
"""  # noqa: S608 -- made of the constants above

_CREATE = text(f"""
    with created_profiles as ({_PUT_PROFILES})
    {_PUT_IDENTIFIERS.format(names="cast(put.names as bigint[])")}
""")

# The event of a creation gets the number that the profile's row had. Of the events that repeat each other, the first
# stays, and the last, which is inserted.
#
# Rows are deleted before others are inserted, since only one row may hold a unique value at any time: `where (select
# count(*) from gone)` makes the insert wait for the deletes. Each row is found by one index probe, whatever the planner
# believes of a table that was once empty, as in `lock_and_gather`. An identifier that moves to another profile keeps
# its counted names, also if they were not loaded. If another profile holds a unique value that is upserted, which
# cannot be, `added_at` becomes null, and its constraint fails the statement.
_AMEND = f"""
    created_profiles as ({_PUT_PROFILES}),
    gone as (
        delete from identifier
        where ctid = any (array(
            select held.ctid
            from {_rows("dropped")}
            cross join lateral (
                select i.ctid from identifier i
                where i.store_id = :store_id and i.profile_id is not distinct from dropped.profile_id
                    and i.id_type = dropped.id_type and i.value = dropped.value
                offset 0
            ) held
        ))
        returning id_type, value, names
    ),
    identified as (
        {_PUT_IDENTIFIERS.format(names="coalesce(cast(put.names as bigint[]), moved.names)")}
        left join gone as moved
            on put.is_unique and moved.names is not null and moved.id_type = put.id_type and moved.value = put.value
        where (select count(*) from gone) >= 0
        on conflict on constraint identifier_pkey
            do update set
                added_at = case when identifier.profile_id = excluded.profile_id then excluded.added_at end,
                names = coalesce(excluded.names, identifier.names)
    ),
    amended_profiles as (
        update profile
        set
            traits = coalesce(cast(amended.traits as jsonb), profile.traits),
            creation_number = case when not amended.is_no_longer_as_created then profile.creation_number end,
            created_by = case when not amended.is_no_longer_as_created then profile.created_by end,
            is_separated = profile.is_separated or amended.is_separated
        from {_rows("amended")}
        where profile.store_id = :store_id and profile.id = amended.id
            and profile.id = any (cast(:amended_id as uuid[]))
    ),
    unrepeated as (
        delete from event
        where ctid = any (array(
            select earlier.ctid
            from (
                select distinct new.profile_id, new.repetition_key
                from {_rows("recorded", named="new")}
                where new.repetition_key is not null
            ) new
            cross join lateral (
                select e.ctid from event e
                where e.store_id is not distinct from :store_id and e.profile_id = new.profile_id
                    and e.repetition_key = new.repetition_key
                order by e.number
                offset 1
            ) earlier
        ))
    ),
    recorded_events as (
        insert into event (store_id, number, {", ".join(EVENT_COLUMNS)})
        select
            :store_id,
            coalesce(
                case when recorded.kind = 'created' then (
                    select p.creation_number from profile p
                    where p.store_id = :store_id and p.id = recorded.profile_id
                ) end,
                nextval('event_number')
            ),
            recorded.id, recorded.profile_id, recorded.kind, recorded.happened_at, cast(recorded.document as json),
            recorded.repetition_key
        from {_rows("recorded")}
        where not (
            recorded.is_repeated and exists (
                select from event e
                where e.store_id is not distinct from :store_id and e.profile_id = recorded.profile_id
                    and e.repetition_key = recorded.repetition_key
            )
        )
    )
"""  # noqa: S608 -- made of the constants above

_UPDATE = text(f"with {_AMEND} select")

_MERGE = text(f"""
    with {_AMEND},
    repointed as (
        update alias
        set profile_id = (cast(:aliased_profile_id as uuid[]))[
            array_position(cast(:aliased_id as uuid[]), alias.profile_id)
        ]
        where store_id = :store_id and profile_id = any (cast(:aliased_id as uuid[]))
    ),
    aliases as (
        insert into alias (store_id, id, profile_id)
        select :store_id, aliased.id, aliased.profile_id from {_rows("aliased")}
    )
    delete from profile where store_id = :store_id and id = any (cast(:aliased_id as uuid[]))
""")  # noqa: S608 -- made of the constants above
