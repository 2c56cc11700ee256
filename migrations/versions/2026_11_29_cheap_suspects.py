"""Suspects and counted names cost the writes less: docs/decisions/0051-cheaper-writes.md.

The function that counts names runs one statement instead of five, and no foreign key is checked for each suspect.
Whoever merges or erases profiles deletes their suspects. A process of the version before does not: a profile with many
identifiers that it merges stays among the suspects, unless it has counted names.

`lock_and_gather` returns the counted names, so that no other query has to.
"""

from typing import Any

from alembic import op

revision = "2026_11_29_cheap_suspects"
down_revision = "2026_11_28_import_options"
branch_labels = None
depends_on = None
phase = "contract"
serves_from = revision

COUNT_NAMES = """
create or replace function count_names()
returns trigger
language plpgsql
as $$
declare
    changed identifier;
begin
    -- A value with at least two names makes both suspects, so that one statement does everything. A value may have
    -- 1,000 names, and many values of a profile may change at once.
    if tg_op <> 'DELETE' and cardinality(new.names) >= 2 then
        insert into suspect (store_id, profile_id, reason, id_type, value_hash, severity)
        select
            new.store_id, new.profile_id, 'sharedValue', new.id_type, hashtextextended(new.value, 0),
            cardinality(new.names)
        union all
        select new.store_id, new.profile_id, 'namesDisagree', '', 0, (
            select count(distinct counted.name)
            from identifier i cross join lateral unnest(i.names[1 : 100]) as counted (name)
            where i.store_id is not distinct from new.store_id and i.profile_id = new.profile_id
        )
        on conflict on constraint suspect_pkey do update set severity = excluded.severity
        where suspect.severity <> excluded.severity;
        return null;
    end if;

    changed := case when tg_op = 'DELETE' then old else new end;
    if not exists (select from profile p where p.store_id = changed.store_id and p.id = changed.profile_id) then
        delete from suspect s where s.store_id = changed.store_id and s.profile_id = changed.profile_id;
        return null;  -- it was merged or erased
    end if;
    delete from suspect s
    where s.store_id = changed.store_id and s.profile_id = changed.profile_id and s.reason = 'sharedValue'
        and s.id_type = changed.id_type and s.value_hash = hashtextextended(changed.value, 0)
        and not exists (
            select from identifier i
            where i.store_id is not distinct from changed.store_id and i.profile_id = changed.profile_id
                and i.id_type = changed.id_type and i.value = changed.value and cardinality(i.names) >= 2
        );
    update suspect s
    set severity = (
        select count(distinct counted.name)
        from identifier i cross join lateral unnest(i.names[1 : 100]) as counted (name)
        where i.store_id is not distinct from changed.store_id and i.profile_id = changed.profile_id
    )
    where s.store_id = changed.store_id and s.profile_id = changed.profile_id and s.reason = 'namesDisagree';
    delete from suspect s
    where s.store_id = changed.store_id and s.profile_id = changed.profile_id and s.reason = 'namesDisagree'
        and s.severity < 2;
    return null;
end
$$;
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
$$
"""

ARGUMENTS = "uuid, bigint, bigint, bigint[], text[], text[], uuid, text[], text[], integer[]"


def upgrade() -> None:
    op.execute(COUNT_NAMES)
    op.execute("drop function put_suspect")
    op.execute("alter table suspect drop constraint suspect_store_id_profile_id_fkey")
    op.execute(f"drop function lock_and_gather({ARGUMENTS})")
    op.execute(LOCK_AND_GATHER)


def downgrade() -> None:
    op.execute(f"drop function lock_and_gather({ARGUMENTS})")
    op.execute(_of("2026_11_28_history").LOCK_AND_GATHER)
    before = _of("2026_11_28_suspects")
    op.execute(before.PUT_SUSPECT)
    op.execute(before.COUNT_NAMES.replace("create function", "create or replace function", 1))
    # A process of the version before may have left some while both versions ran.
    op.execute("""
        delete from suspect
        where not exists (
            select from profile where profile.store_id = suspect.store_id and profile.id = suspect.profile_id
        )
    """)
    op.execute("""
        alter table suspect add constraint suspect_store_id_profile_id_fkey
            foreign key (store_id, profile_id) references profile (store_id, id) on delete cascade
    """)


def _of(earlier: str) -> Any:
    environment = op.get_context().environment_context
    assert environment is not None
    return environment.script.get_revision(earlier).module
