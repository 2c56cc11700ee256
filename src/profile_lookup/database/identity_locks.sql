-- The locks of every write to profiles, and what is known while they are held: see ingest/identity_locks.py and
-- docs/decisions/0003-resolution-under-races.md. Migrations put this function in force, each with a copy of its own:
-- whoever changes it writes a migration that replaces it. tests/database/test_migrations.py compares this file with
-- the function that a migrated database has.
create function lock_and_gather(
    in_store uuid,
    in_revision bigint,
    store_key bigint,
    lock_keys bigint[],
    match_types text[],
    match_values text[],
    known uuid
)
returns table (
    profile_id uuid,
    is_locked boolean,
    identifier_types text[],
    identifier_values text[],
    identifier_times timestamptz[],
    trait_groups text[],
    trait_names text[],
    trait_values jsonb[],
    trait_times timestamptz[]
)
language plpgsql volatile
as $$
declare
    holders uuid[];
    locked uuid[];
begin
    -- Shared by all writes to the store; whoever changes its settings or trait groups, or removes it, holds it alone.
    perform pg_advisory_xact_lock_shared(store_key);

    -- Other rules than those that this request was read by: one row without a profile says so.
    if not exists (
        select from store s where s.id = in_store and s.revision = in_revision and s.status = 'ACTIVE'
    ) then
        return next;
        return;
    end if;

    -- The keys come sorted. A key stands for an identifier that may not exist yet: no row could be locked for it.
    perform pg_advisory_xact_lock(k.key) from unnest(lock_keys) as k (key);

    -- The lateral subquery with its offset is one index probe per identifier, whatever the planner believes of the
    -- table's size: a generic plan made while it is empty would be a sequential scan until the next ANALYZE.
    holders := array(
        select held.profile_id
        from unnest(match_types, match_values) as wanted (id_type, value)
        cross join lateral (
            select i.profile_id from identifier i
            where i.store_id = in_store and i.id_type = wanted.id_type and i.value = wanted.value
            offset 0
        ) held
        union all
        select known where known is not null
    );
    -- Nobody: it stays so, for whoever adds one of these identifiers needs its key.
    if holders = '{}' then
        return;
    end if;

    locked := array(
        select p.id from profile p
        where p.store_id = in_store and p.id = any (holders)
        order by p.id
        for no key update
    );

    -- Match again, in a new statement and so with a new snapshot: while we waited for the rows, another merge may
    -- have moved the identifiers to a profile that we do not hold. The caller then starts over.
    return query
    with holder as materialized (
        select held.profile_id
        from unnest(match_types, match_values) as wanted (id_type, value)
        cross join lateral (
            select i.profile_id from identifier i
            where i.store_id = in_store and i.id_type = wanted.id_type and i.value = wanted.value
            offset 0
        ) held
        union
        select known where known = any (locked)
    )
    select
        holder.profile_id, holder.profile_id = any (locked),
        held.types, held.vals, held.times,
        had.groups, had.names, had.vals, had.times
    from holder
    cross join lateral (
        select array_agg(i.id_type) as types, array_agg(i.value) as vals, array_agg(i.added_at) as times
        from identifier i where i.store_id = in_store and i.profile_id = holder.profile_id
    ) held
    cross join lateral (
        select
            array_agg(t.group_name) as groups, array_agg(t.name) as names,
            array_agg(t.value) as vals, array_agg(t.written_at) as times
        from trait t where t.store_id = in_store and t.profile_id = holder.profile_id
    ) had;
end
$$
