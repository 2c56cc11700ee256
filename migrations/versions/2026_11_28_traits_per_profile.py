"""Traits in one document per profile, and identifiers with one unique index: see decision record 0039.

The rows are copied to new tables, in batches that are committed one by one. A migration that was killed goes on after
the last profile that it copied. Meanwhile no profile can be written, and lookups are served. At the end, the new tables
replace the old ones, in one transaction.

To give up instead, and let the version before write again: `drop schema rewritten cascade`.
"""

from typing import Any

from alembic import op
from sqlalchemy import text

revision = "2026_11_28_traits_per_profile"
down_revision = "2026_11_28_access"
branch_labels = None
depends_on = None
phase = "contract"
serves_from = revision

PROFILES_PER_BATCH = 1000

BEGIN = """
create schema if not exists rewritten;

create table if not exists rewritten.profile (
    store_id uuid not null,
    id uuid not null,
    created_at timestamptz not null,
    traits jsonb not null default '{}',
    constraint profile_pkey primary key (store_id, id)
);

create table if not exists rewritten.identifier (
    store_id uuid not null,
    id_type text not null,
    value text not null,
    profile_id uuid not null,
    shared_by bytea not null,
    added_at timestamptz not null,
    fuzzy_key bigint,
    names bigint[]
);

-- The version before answers 503 to whoever gets this error.
create or replace function rewritten.refuse() returns trigger language plpgsql as $$
begin
    raise exception 'the schema is being migrated' using errcode = 'lock_not_available';
end
$$;

create or replace trigger refuse_during_migration before insert or update or delete or truncate on profile
for each statement execute function rewritten.refuse();

create or replace trigger refuse_during_migration before insert or update or delete or truncate on identifier
for each statement execute function rewritten.refuse();

create or replace trigger refuse_during_migration before insert or update or delete or truncate on trait
for each statement execute function rewritten.refuse();
"""

# The lateral subqueries are index probes, whatever the planner believes of the tables.
COPY_BATCH = f"""
with
copied as (
    select store_id, id from rewritten.profile order by store_id desc, id desc limit 1
),
batch as materialized (
    select profile.* from profile
    where (store_id, id) > (
        coalesce((select store_id from copied), '00000000-0000-0000-0000-000000000000'),
        coalesce((select id from copied), '00000000-0000-0000-0000-000000000000')
    )
    order by store_id, id
    limit {PROFILES_PER_BATCH}
),
profiles as (
    insert into rewritten.profile
    select batch.store_id, batch.id, batch.created_at, coalesce(described.traits, '{{}}')
    from batch
    cross join lateral (
        select jsonb_object_agg(group_name, traits) as traits
        from (
            select
                group_name,
                jsonb_object_agg(
                    name,
                    case
                        when written_at = batch.created_at then jsonb_build_array(value)
                        else jsonb_build_array(value, cast(extract(epoch from written_at) * 1000000 as bigint))
                    end
                ) as traits
            from trait
            where trait.store_id = batch.store_id and trait.profile_id = batch.id
            group by group_name
        ) as of_group
        offset 0
    ) as described
),
identifiers as (
    insert into rewritten.identifier
    select
        held.store_id, held.id_type, held.value, held.profile_id,
        case when held.is_unique then '' else uuid_send(held.profile_id) end,
        held.added_at, held.fuzzy_key, held.names
    from batch
    cross join lateral (
        select * from identifier
        where identifier.store_id = batch.store_id and identifier.profile_id = batch.id
        offset 0
    ) as held
)
select count(*) from batch
"""  # noqa: S608 -- made of the constant above

END = """
alter table rewritten.identifier
    add constraint identifier_pkey primary key (store_id, id_type, value, shared_by) include (profile_id),
    add constraint identifier_shared_by_check check (shared_by in ('', uuid_send(profile_id))),
    add constraint identifier_store_id_profile_id_fkey
        foreign key (store_id, profile_id) references rewritten.profile (store_id, id);
create index identifier_profile_id_idx on rewritten.identifier (profile_id);
create index identifier_fuzzy_idx on rewritten.identifier
    using gin (fuzzy_key, value gin_trgm_ops) with (fastupdate = off) where fuzzy_key is not null;

alter table alias drop constraint alias_store_id_profile_id_fkey;
drop table trait, identifier, profile;
alter table rewritten.profile set schema {schema};
alter table rewritten.identifier set schema {schema};
alter table alias
    add constraint alias_store_id_profile_id_fkey foreign key (store_id, profile_id) references profile (store_id, id);
drop schema rewritten cascade;
"""

GATHERING = (
    "uuid, bigint, bigint, bigint[], text[], text[], uuid, text[], text[], integer[]",
    "uuid, bigint, bigint, bigint[], text[], text[], uuid",
)
"""The arguments of both functions of this name."""

DECIDING_HOLDERS = """
create or replace function deciding_holders(
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
    traits jsonb,
    created_at timestamptz
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
    -- `is not distinct from` lets no index be searched by the store alone; see `identifier` in tables.py.
    return query
    select
        holder.id, holder.id = any (locked), held.types, held.vals, held.times, described.traits, described.created_at
    from (select distinct h.id from unnest(holders) as h (id)) holder
    cross join lateral (
        select array_agg(i.id_type) as types, array_agg(i.value) as vals, array_agg(i.added_at) as times
        from identifier i where i.store_id is not distinct from in_store and i.profile_id = holder.id
    ) held
    cross join lateral (
        select p.traits, p.created_at from profile p where p.store_id = in_store and p.id = holder.id
        offset 0
    ) described;
end
$$
"""

LOCK_AND_GATHER_OF_RELEASE_0_1 = """
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
$$
"""


def upgrade() -> None:
    op.execute("set statement_timeout = 0")
    with op.get_context().autocommit_block():
        for statement in BEGIN.split(";\n\n"):
            op.execute(statement)
        while op.get_bind().scalar(text(COPY_BATCH)):
            pass
        op.execute("vacuum (analyze) rewritten.profile")
        op.execute("vacuum (analyze) rewritten.identifier")
    schema = op.get_bind().scalar(text("select quote_ident(current_schema())"))
    for statement in END.format(schema=schema).split(";\n"):
        op.execute(statement)
    for signature in GATHERING:
        op.execute(f"drop function lock_and_gather({signature})")
    for function in (DECIDING_HOLDERS, LOCK_AND_GATHER, LOCK_AND_GATHER_OF_RELEASE_0_1):
        op.execute(function)


DOWNGRADE = """
create table trait (
    store_id uuid not null,
    profile_id uuid not null,
    group_name text not null,
    name text not null,
    value jsonb not null,
    written_at timestamptz not null
);
insert into trait
select
    profile.store_id, profile.id, described.key, written.key, written.value -> 0,
    coalesce(
        timestamptz 'epoch' + cast(written.value -> 1 as bigint) * interval '1 microsecond', profile.created_at
    )
from profile
cross join lateral jsonb_each(profile.traits) as described
cross join lateral jsonb_each(described.value) as written;
alter table trait
    add constraint trait_pkey primary key (store_id, profile_id, group_name, name),
    add constraint trait_store_id_profile_id_fkey
        foreign key (store_id, profile_id) references profile (store_id, id);
alter table profile drop column traits;
alter table identifier add column is_unique boolean;
update identifier set is_unique = shared_by = '';
alter table identifier
    drop constraint identifier_pkey,
    alter column is_unique set not null,
    drop column shared_by,
    add constraint identifier_pkey primary key (store_id, id_type, value, profile_id);
drop index identifier_profile_id_idx;
create index identifier_store_id_profile_id_idx on identifier (store_id, profile_id);
create unique index identifier_enforce_unique_idx on identifier (store_id, id_type, value) where is_unique;
"""


def downgrade() -> None:
    op.execute("set local statement_timeout = 0")
    for statement in DOWNGRADE.strip().split(";\n"):
        op.execute(statement)
    for signature in GATHERING:
        op.execute(f"drop function lock_and_gather({signature})")
    deciding_holders = _of("2026_11_28_weak_matches").DECIDING_HOLDERS
    op.execute(deciding_holders.replace("create function", "create or replace function", 1))
    op.execute(_of("2026_11_28_large_writes").LOCK_AND_GATHER)
    op.execute(_of("2026_11_28_versions_side_by_side").LOCK_AND_GATHER_OF_RELEASE_0_1)


def _of(earlier: str) -> Any:
    environment = op.get_context().environment_context
    assert environment is not None
    return environment.script.get_revision(earlier).module
