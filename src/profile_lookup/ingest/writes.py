"""Writes of profiles, identifiers and events in SQL, each in one statement.

The caller holds the locks of `lock_and_gather`, so no constraint can fire. `on conflict` is used only for rows of the
locked profiles themselves.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.citus.statements import in_store
from profile_lookup.database.event_rows import EVENT_COLUMNS
from profile_lookup.identity.difference import Difference
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.ingest.difference_rows import parameters_of, rows_of
from profile_lookup.ingest.forgetting import forget
from profile_lookup.ingest.large_profiles import count_identifiers
from profile_lookup.stores.rules_cache import StoreRules


async def write(
    connection: AsyncConnection,
    store: StoreRules,
    difference: Difference,
    settings: IdentityResolutionSettings | None = None,
) -> None:
    """Write the difference to the tables by one statement, whether it is of one profile or of hundreds.

    If the writes forget something, further statements take it out of the earlier events before that. If a profile has
    very many identifiers, another one counts them after that. `settings` replace those of the store while these change.
    """
    if difference.forgotten:
        difference = await forget(connection, store, difference)
    if difference.aliases:
        statement = _MERGE
    elif difference.only_creates_profiles:
        statement = _CREATE
    elif not difference.created and not difference.deleted_identifiers:
        statement = _ADD
    else:
        statement = _UPDATE
    await connection.execute(statement, parameters_of(settings or store.settings, store.id, difference))
    await count_identifiers(connection, store.id, difference.possibly_large)


_INSERT_PROFILES = f"""
    insert into profile (store_id, id, created_at, traits, creation_number, created_by, is_separated)
    select
        :store_id, created.id, created.created_at, cast(created.traits as jsonb),
        case when created.is_as_created then nextval('event_number') end, created.created_by, created.is_separated
    from {rows_of("created")}
"""  # noqa: S608 -- made of the constants above

_INSERT_IDENTIFIERS = f"""
    insert into identifier (store_id, id_type, value, profile_id, shared_by, fuzzy_key, added_at, names)
    select
        :store_id, upserted.id_type, upserted.value, upserted.profile_id,
        case when upserted.is_unique then '' else uuid_send(upserted.profile_id) end, upserted.fuzzy_key,
        upserted.added_at, {{names}}
    from {rows_of("upserted")}
"""  # noqa: S608 -- made of the constants above

_CREATE = in_store(
    "create_profiles",
    f"""
    with created_profiles as ({_INSERT_PROFILES})
    {_INSERT_IDENTIFIERS.format(names="cast(upserted.names as bigint[])")}
""",
)

# The event of a creation gets the number that the profile's row had. Of the events that repeat each other, the first
# stays, and the last, which is inserted.
#
# Rows are deleted before others are inserted, since only one row may hold a unique value at any time: `where (select
# count(*) from gone)` makes the insert wait for the deletes. Each row is found by one index probe, whatever the planner
# believes of a table that was once empty, as in `lock_and_gather`. An identifier that moves to another profile keeps
# its counted names, also if they were not loaded. If another profile holds a unique value that is upserted, which
# cannot be, `added_at` becomes null, and its constraint fails the statement.
_UPSERT_IDENTIFIERS = """
    on conflict on constraint identifier_pkey
        do update set
            added_at = case when identifier.profile_id = excluded.profile_id then excluded.added_at end,
            names = coalesce(excluded.names, identifier.names)
"""

_REPLACE_IDENTIFIERS = f"""
    gone as (
        delete from identifier
        where store_id is not distinct from :store_id and ctid = any (array(
            select held.ctid
            from {rows_of("deleted")}
            cross join lateral (
                select i.ctid from identifier i
                where i.store_id = :store_id and i.profile_id is not distinct from deleted.profile_id
                    and i.id_type = deleted.id_type and i.value = deleted.value
                offset 0
            ) held
        ))
        returning id_type, value, names
    ),
    identified as (
        {_INSERT_IDENTIFIERS.format(names="coalesce(cast(upserted.names as bigint[]), moved.names)")}
        left join gone as moved
            on upserted.is_unique and moved.names is not null
                and moved.id_type = upserted.id_type and moved.value = upserted.value
        where (select count(*) from gone) >= 0
        {_UPSERT_IDENTIFIERS}
    )
"""  # noqa: S608 -- made of the constants above

_AMEND_PROFILES = f"""
    amended_profiles as (
        update profile
        set
            traits = coalesce(cast(amended.traits as jsonb), profile.traits),
            creation_number = case when not amended.is_no_longer_as_created then profile.creation_number end,
            created_by = case when not amended.is_no_longer_as_created then profile.created_by end,
            is_separated = profile.is_separated or amended.is_separated
        from {rows_of("amended")}
        where profile.store_id = :store_id and profile.id = amended.id
            and profile.id = any (cast(:amended_id as uuid[]))
    ),
    unrepeated as (
        delete from event
        where store_id is not distinct from :store_id and ctid = any (array(
            select earlier.ctid
            from (
                select distinct new.profile_id, new.repetition_key
                from {rows_of("recorded", named="new")}
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
        from {rows_of("recorded")}
        where not (
            recorded.is_repeated and exists (
                select from event e
                where e.store_id is not distinct from :store_id and e.profile_id = recorded.profile_id
                    and e.repetition_key = recorded.repetition_key
            )
        )
    )
"""  # noqa: S608 -- made of the constants above

# Most updates create nobody and delete nothing. A statement without these parts takes less time to begin.
_ADD = in_store(
    "add_to_profiles",
    f"""
    with
    identified as (
        {_INSERT_IDENTIFIERS.format(names="cast(upserted.names as bigint[])")}
        {_UPSERT_IDENTIFIERS}
    ),
    {_AMEND_PROFILES}
    select 1 as written
""",
)

_AMEND = f"created_profiles as ({_INSERT_PROFILES}), {_REPLACE_IDENTIFIERS}, {_AMEND_PROFILES}"

_UPDATE = in_store("update_profiles", f"with {_AMEND} select 1 as written")

_MERGE = in_store(
    "merge_profiles",
    f"""
    with {_AMEND},
    repointed as (
        update alias
        set profile_id = merged.profile_id
        from unnest(cast(:aliased_id as uuid[]), cast(:aliased_profile_id as uuid[])) as merged (id, profile_id)
        where alias.store_id = :store_id and alias.profile_id = merged.id
            and alias.profile_id = any (cast(:aliased_id as uuid[]))
    ),
    aliases as (
        insert into alias (store_id, id, profile_id)
        select :store_id, aliased.id, aliased.profile_id from {rows_of("aliased")}
    ),
    unsuspected as (
        delete from suspect where store_id = :store_id and profile_id = any (cast(:aliased_id as uuid[]))
    )
    delete from profile where store_id = :store_id and id = any (cast(:aliased_id as uuid[]))
""",  # noqa: S608 -- made of the constants above
)
