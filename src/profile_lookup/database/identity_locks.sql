-- The locks of every write to profiles, and what is known while they are held: see ingest/identity_locks.py and
-- docs/decisions/0003-resolution-under-races.md. Migrations put these functions in force, each with a copy of its own:
-- whoever changes them writes a migration that replaces them. tests/database/test_migrations.py compares this file with
-- the functions that a migrated database has.

-- The holders on whom the decision about some requests can depend: all holders of the `match` identifiers, the known
-- profile, and those holders of the `shared` identifiers that docs/decisions/0024-weak-matches-are-two.md names. A
-- shared identifier has a row for each request that carries it. A profile may be in the result more than once.
create function deciding_holders(
    in_store uuid,
    match_types text[],
    match_values text[],
    known uuid,
    shared_types text[],
    shared_values text[],
    shared_requests integer[]
)
returns uuid[]
language plpgsql volatile
as $$
declare
    -- All holders that the requests may change. The others stay as they are, so two of them are as good as all.
    deciding uuid[];
    lone uuid[];
    pairs uuid[];
begin
    -- The lateral subquery with its offset is one index probe per identifier, whatever the planner believes of the
    -- table's size: a generic plan made while it is empty would be a sequential scan until the next ANALYZE.
    deciding := array(
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
    if shared_types = '{}' then
        return deciding;
    end if;

    -- Whoever holds two of a request's shared values holds one that is not the request's most shared value. While all
    -- holders of these are locked, nobody can come to hold two, not even by a merge. Counting ends at 1,000.
    deciding := deciding || array(
        with carried as (
            select *, count(*) over (partition by request) as values_of_request
            from unnest(shared_types, shared_values, shared_requests) as s (id_type, value, request)
        ),
        counted as materialized (
            select wanted.id_type, wanted.value, held.holders
            from (select distinct c.id_type, c.value from carried c where c.values_of_request > 1) wanted
            cross join lateral (
                select count(*) as holders
                from (
                    select from identifier i
                    where i.store_id = in_store and i.id_type = wanted.id_type and i.value = wanted.value
                    limit 1000
                ) few
            ) held
        ),
        ranked as (
            select id_type, value, row_number() over (
                partition by request order by counted.holders desc, id_type, value
            ) as place
            from carried join counted using (id_type, value)
        )
        select held.profile_id
        from (select distinct r.id_type, r.value from ranked r where r.place > 1) wanted
        cross join lateral (
            select i.profile_id from identifier i
            where i.store_id = in_store and i.id_type = wanted.id_type and i.value = wanted.value
            offset 0
        ) held
    );

    -- The two earliest of the other holders of each shared value. One alone may be updated by a request, and then be
    -- changed by the next one in the same transaction, so it is no longer one of the others.
    loop
        select
            array_agg(other.holders[1]) filter (where cardinality(other.holders) = 1),
            array_agg(other.holders[1]) || array_agg(other.holders[2])
        into lone, pairs
        from (select distinct s.id_type, s.value from unnest(shared_types, shared_values) as s (id_type, value)) wanted
        cross join lateral (
            select array(
                select i.profile_id from identifier i
                where i.store_id = in_store and i.id_type = wanted.id_type and i.value = wanted.value
                    and i.profile_id not in (select unnest(deciding))
                order by i.shared_by
                limit 2
            ) as holders
        ) other
        where cardinality(other.holders) > 0;
        exit when lone is null;
        deciding := deciding || lone;
    end loop;
    return deciding || pairs;
end
$$;

-- Lets a write of many lock keys wait for its turn, until it commits: all such writes together hold at most 4,060 keys,
-- whatever stores and processes they are of, and PostgreSQL's table of locks has room for more. There are 8 turns for
-- 65-128 keys, 2 for 129-768, and 1 for more. Writes of up to 64 keys wait for nobody: see
-- docs/decisions/0030-turns-for-large-writes.md.
create function take_turn(key_count integer)
returns void
language plpgsql volatile
as $$
declare
    -- The two numbers of an advisory lock; locks of one 64-bit number, such as those of identifiers, are never equal.
    size integer := case when key_count <= 128 then 128 when key_count <= 768 then 768 else 1500 end;
    turns integer := case size when 128 then 8 when 768 then 2 else 1 end;
begin
    if key_count <= 64 then
        return;
    end if;
    -- Only with earlier forms of its values does a request have more than 1,500 keys. It also takes the turns below.
    if key_count > 1500 then
        perform pg_advisory_xact_lock(1500, 1), pg_advisory_xact_lock(768, 1), pg_advisory_xact_lock(768, 2);
        return;
    end if;
    for turn in 1..turns loop
        if pg_try_advisory_xact_lock(size, turn) then
            return;
        end if;
    end loop;
    perform pg_advisory_xact_lock(size, 1 + pg_backend_pid() % turns);
end
$$;

-- Returns the separations of a profile's own ID and of each of its aliases, as `documents.separations_of` reads them.
create function separations_of(in_store uuid, of_profile uuid)
returns jsonb
language plpgsql stable
as $$
begin
    return (
        select jsonb_agg(of_id.separations)
        from (
            select jsonb_agg(jsonb_build_array(s.decision, s.part, s.is_lifted)) as separations
            from separation s
            where s.store_id = in_store and s.id = any (
                array(select a.id from alias a where a.store_id = in_store and a.profile_id = of_profile) || of_profile
            )
            group by s.id
        ) of_id
    );
end
$$;

create function lock_and_gather(
    in_store uuid,
    in_revision bigint,
    store_key bigint,
    lock_keys bigint[],
    match_types text[],
    match_values text[],
    known uuid,
    shared_types text[],
    shared_values text[],
    shared_requests integer[]
)
returns table (
    profile_id uuid,
    is_locked boolean,
    identifier_types text[],
    identifier_values text[],
    identifier_times timestamptz[],
    identifier_names text[],
    traits jsonb,
    created_at timestamptz,
    is_as_created boolean,
    created_by text,
    separations jsonb
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

    perform take_turn(cardinality(lock_keys));

    -- The keys come sorted. A key stands for an identifier that may not exist yet: no row could be locked for it.
    perform pg_advisory_xact_lock(k.key) from unnest(lock_keys) as k (key);

    -- The transaction gets its ID before it draws numbers of events: whoever reads a feed needs that.
    perform pg_current_xact_id();

    holders := deciding_holders(
        in_store, match_types, match_values, known, shared_types, shared_values, shared_requests
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

    -- Match again, in new statements and so with new snapshots: while we waited for the rows, another merge may have
    -- moved the identifiers to a profile that we do not hold. The caller then starts over. A known profile that we do
    -- not hold does not exist any more.
    if known <> all (locked) then
        known := null;
    end if;
    holders := deciding_holders(
        in_store, match_types, match_values, known, shared_types, shared_values, shared_requests
    );
    -- `is not distinct from` lets no index be searched by the store alone; see `identifier` in tables.py.
    return query
    select
        holder.id, holder.id = any (locked), held.types, held.vals, held.times, held.names, described.*
    from (select distinct h.id from unnest(holders) as h (id)) holder
    cross join lateral (
        select
            array_agg(i.id_type) as types, array_agg(i.value) as vals, array_agg(i.added_at) as times,
            -- As text, since arrays of several lengths do not fit in an array.
            case when bool_or(i.names is not null) then array_agg(cast(i.names as text)) end as names
        from identifier i where i.store_id is not distinct from in_store and i.profile_id = holder.id
    ) held
    cross join lateral (
        select
            p.traits, p.created_at, p.creation_number is not null, p.created_by,
            case when p.is_separated then separations_of(in_store, p.id) end
        from profile p where p.store_id = in_store and p.id = holder.id
        offset 0
    ) described;
end
$$;

-- Processes of release 0.1 call this function before they write. They know traits as rows of a table that is gone, so
-- they may not write any more: they answer 503 until a process of this version replaces them.
create function lock_and_gather(
    in_store uuid,
    in_revision bigint,
    store_key bigint,
    lock_keys bigint[],
    match_types text[],
    match_values text[],
    known uuid
)
returns void
language plpgsql volatile
as $$
begin
    raise exception 'a newer version has changed the schema' using errcode = 'lock_not_available';
end
$$;
