"""Writes of profiles and identifiers in SQL, each in one statement.

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

from profile_lookup.database.documents import serialized_profile, serialized_traits
from profile_lookup.database.fuzzy_key import fuzzy_key
from profile_lookup.identity.difference import Difference, RecordedMerge
from profile_lookup.identity.profile import Trait, TraitName
from profile_lookup.identity.resolution import profiles_of
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.ingest.large_profiles import count_identifiers


async def write(
    connection: AsyncConnection, settings: IdentityResolutionSettings, store_id: UUID, difference: Difference
) -> None:
    """Write the difference to the tables, of one profile or of hundreds, by one statement.

    Only profiles with very many identifiers need a second one.
    """
    if difference.aliases:
        statement = _MERGE
    elif difference.only_creates_profiles:
        statement = _CREATE
    else:
        statement = _UPDATE
    await connection.execute(statement, _parameters(settings, store_id, difference))
    await count_identifiers(connection, store_id, difference.possibly_large)


async def erase_profiles(connection: AsyncConnection, store_id: UUID, profile_ids: Sequence[UUID]) -> None:
    """Delete profiles with everything that any table holds of them: identifiers, traits, aliases and merges."""
    await connection.execute(_ERASE, {"store_id": store_id, "people": profile_ids})


_COLUMNS = {
    "created": {"id": "uuid", "created_at": "timestamptz", "traits": "jsonb"},
    "put": {
        "profile_id": "uuid", "id_type": "text", "value": "text",
        "is_unique": "boolean", "fuzzy_key": "bigint", "added_at": "timestamptz", "names": "text",
    },
    "dropped": {"profile_id": "uuid", "id_type": "text", "value": "text"},
    "described": {"id": "uuid", "traits": "jsonb"},
    "aliased": {"id": "uuid", "profile_id": "uuid"},
    "recorded": {
        "id": "uuid", "canonical_id": "uuid", "absorbed_ids": "text", "rule": "text",
        "moved": "jsonb", "merged_at": "timestamptz",
    },
}  # fmt: skip
"""The parameters of a statement: each column of these tables is passed as an array."""


def _parameters(settings: IdentityResolutionSettings, store_id: UUID, difference: Difference) -> dict[str, Any]:
    id_types = {identifier.id_type for _, identifier, _ in difference.upserted_identifiers}
    marks = {each: (settings.is_unique(each), fuzzy_key(settings, store_id, each)) for each in id_types}
    rows: dict[str, Iterable[Sequence[object]]] = {
        "created": [
            (profile_id, created_at, _traits(difference.traits.get(profile_id, {}), created_at))
            for profile_id, created_at in difference.created.items()
        ],
        "put": [
            (profile_id, *each, *marks[each.id_type], added_at, _array(difference.names.get((profile_id, each))))
            for profile_id, each, added_at in difference.upserted_identifiers
        ],
        "dropped": [(profile_id, *each) for profile_id, each in difference.deleted_identifiers],
        "described": [
            (profile_id, _traits(traits))
            for profile_id, traits in difference.traits.items()
            if profile_id not in difference.created
        ],
        "aliased": difference.aliases.items(),
        "recorded": [_record(recorded) for recorded in difference.merges],
    }
    parameters: dict[str, Any] = {"store_id": store_id}
    for table, columns in _COLUMNS.items():
        arrays = list(zip(*rows[table], strict=True)) or [()] * len(columns)
        parameters |= {f"{table}_{column}": array for column, array in zip(columns, arrays, strict=True)}
    return parameters


def _traits(traits: Mapping[TraitName, Trait], created_at: datetime | None = None) -> str:
    return json.dumps(serialized_traits(traits, created_at))


def _record(recorded: RecordedMerge) -> tuple[object, ...]:
    canonical, *absorbed = people = profiles_of(recorded.merge)
    return (
        recorded.id,
        canonical.id,
        _array([profile.id for profile in absorbed]),
        recorded.merge.rule,
        json.dumps([serialized_profile(profile) for profile in people]),
        recorded.merged_at,
    )


def _array(items: Sequence[object] | None) -> str | None:
    """Return PostgreSQL's text of an array, since arrays of several lengths do not fit in an array."""
    return None if items is None else f"{{{','.join(map(str, items))}}}"


def _rows(table: str) -> str:
    columns = _COLUMNS[table]
    # JSON is passed as text, since that is how the driver sends it.
    arrays = ", ".join(
        f"cast(:{table}_{column} as {'text' if kind == 'jsonb' else kind}[])" for column, kind in columns.items()
    )
    return f"unnest({arrays}) as {table} ({', '.join(columns)})"


_PUT_PROFILES = f"""
    insert into profile (store_id, id, created_at, traits)
    select :store_id, created.id, created.created_at, cast(created.traits as jsonb) from {_rows("created")}
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
                where i.store_id = :store_id and i.profile_id = dropped.profile_id
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
    described_profiles as (
        update profile
        set traits = cast(described.traits as jsonb)
        from {_rows("described")}
        where profile.store_id = :store_id and profile.id = described.id
            and profile.id = any (cast(:described_id as uuid[]))
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
    ),
    merges as (
        insert into merge (store_id, id, canonical_id, absorbed_ids, rule, moved, merged_at)
        select
            :store_id, recorded.id, recorded.canonical_id, cast(recorded.absorbed_ids as uuid[]), recorded.rule,
            cast(recorded.moved as jsonb), recorded.merged_at
        from {_rows("recorded")}
    )
    delete from profile where store_id = :store_id and id = any (cast(:aliased_id as uuid[]))
""")  # noqa: S608 -- made of the constants above

_ERASE = text("""
    with
    unidentified as (
        delete from identifier
        where store_id is not distinct from :store_id and profile_id = any (cast(:people as uuid[]))
    ),
    unaliased as (
        delete from alias where store_id = :store_id and profile_id = any (cast(:people as uuid[]))
        returning id
    ),
    -- A merge is recorded under the profile that was canonical then, which may be an alias by now. The rows are locked
    -- in order, as the operation that deletes traits from the history locks them.
    recorded as materialized (
        select id from merge
        where store_id = :store_id
            and canonical_id = any (cast(:people as uuid[]) || array(select id from unaliased))
        order by id
        for update
    ),
    unrecorded as (
        delete from merge where store_id = :store_id and id = any (array(select id from recorded))
    )
    delete from profile where store_id = :store_id and id = any (cast(:people as uuid[]))
""")
