"""Writes of many identifiers take turns, so that PostgreSQL's table of locks has room for all.

docs/decisions/0030-turns-for-large-writes.md explains the functions. This migration expands: processes of the version
before go on with the function that they call.
"""

from alembic import op

revision = "2026_11_28_large_writes"
down_revision = "2026_11_28_versions_side_by_side"
branch_labels = None
depends_on = None
phase = "expand"

TAKE_TURN = """
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
$$
"""

LOCK_AND_GATHER = """
create or replace function lock_and_gather(
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

    perform take_turn(cardinality(lock_keys));

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
    op.execute(TAKE_TURN)
    op.execute(LOCK_AND_GATHER)


def downgrade() -> None:
    environment = op.get_context().environment_context
    assert environment is not None
    before = environment.script.get_revision("2026_11_28_weak_matches").module.LOCK_AND_GATHER
    op.execute(before.replace("create function", "create or replace function", 1).replace(" default '{}'", ""))
    op.execute("drop function take_turn")
