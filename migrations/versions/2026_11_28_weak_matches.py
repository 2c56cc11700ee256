"""Weak matches are two: a write locks few of the profiles that share a value. Imports count what a limit evicts.

docs/decisions/0024-weak-matches-are-two.md explains the functions.
"""

from alembic import op

revision = "2026_11_28_weak_matches"
down_revision = "2026_11_28_normalization_version"
branch_labels = None
depends_on = None
phase = "contract"
serves_from = revision

DECIDING_HOLDERS = """
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
                order by i.profile_id
                limit 2
            ) as holders
        ) other
        where cardinality(other.holders) > 0;
        exit when lone is null;
        deciding := deciding || lone;
    end loop;
    return deciding || pairs;
end
$$
"""

LOCK_AND_GATHER = """
create function lock_and_gather(
    in_store uuid,
    in_revision bigint,
    store_key bigint,
    lock_keys bigint[],
    match_types text[],
    match_values text[],
    known uuid,
    -- Processes of the version before pass all identifiers as `match`.
    shared_types text[] default '{}',
    shared_values text[] default '{}',
    shared_requests integer[] default '{}'
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
    return query
    select
        holder.id, holder.id = any (locked),
        held.types, held.vals, held.times,
        had.groups, had.names, had.vals, had.times
    from (select distinct h.id from unnest(holders) as h (id)) holder
    cross join lateral (
        select array_agg(i.id_type) as types, array_agg(i.value) as vals, array_agg(i.added_at) as times
        from identifier i where i.store_id = in_store and i.profile_id = holder.id
    ) held
    cross join lateral (
        select
            array_agg(t.group_name) as groups, array_agg(t.name) as names,
            array_agg(t.value) as vals, array_agg(t.written_at) as times
        from trait t where t.store_id = in_store and t.profile_id = holder.id
    ) had;
end
$$
"""


def upgrade() -> None:
    op.execute("drop function lock_and_gather")
    op.execute(DECIDING_HOLDERS)
    op.execute(LOCK_AND_GATHER)
    # The defaults serve processes of the version before, which create imports during an update.
    op.execute("""
        alter table profile_import
            add column cells_ignored integer not null default 0,
            add column evicted integer not null default 0
    """)


def downgrade() -> None:
    op.execute("alter table profile_import drop column cells_ignored, drop column evicted")
    op.execute("drop function lock_and_gather")
    op.execute("drop function deciding_holders")
    environment = op.get_context().environment_context
    assert environment is not None
    op.execute(environment.script.get_revision("2026_11_24_operations").module.LOCK_AND_GATHER)
