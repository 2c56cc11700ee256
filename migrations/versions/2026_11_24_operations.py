"""Operations as a queue, settings that change under writes, fuzzy matching, page tokens.

`database/tables/` explains the tables, docs/decisions/0003-resolution-under-races.md the function.
"""

from alembic import op

revision = "2026_11_24_operations"
down_revision = "2026_11_24_identity"
branch_labels = None
depends_on = None
phase = "contract"
serves_from = revision

CHANGES = """
create extension if not exists pg_trgm;
create extension if not exists btree_gin;

alter table store add column revision bigint;
update store set revision = settings_version;
alter table store alter column revision set not null;

alter table identifier add column fuzzy_key bigint;
create index identifier_fuzzy_idx on identifier
    using gin (fuzzy_key, value gin_trgm_ops) with (fastupdate = off) where fuzzy_key is not null;

alter table operation
    add column store_id uuid,
    add column input jsonb not null default '{}',
    add column progress jsonb not null default '{}',
    add column error_code integer,
    add column error_detail text,
    add column lease uuid,
    add column leased_until timestamptz,
    add column attempts integer not null default 0,
    add constraint operation_completed_check
        check ((status in ('PENDING', 'RUNNING')) = (completed_at is null)),
    add constraint operation_error_check check ((status = 'FAILED') = (error_code is not null));
alter table operation
    alter column input drop default,
    alter column progress drop default,
    alter column attempts drop default;
create index operation_unfinished_idx on operation (id) where completed_at is null;
create index operation_completed_at_idx on operation (completed_at) where completed_at is not null;

create table signing_key (
    id smallint not null constraint signing_key_pkey primary key,
    secret bytea not null,
    constraint signing_key_single_check check (id = 1)
);
-- 244 random bits.
insert into signing_key
values (1, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

drop function lock_and_gather;
"""

LOCK_AND_GATHER = """
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
"""


def upgrade() -> None:
    for statement in CHANGES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute(LOCK_AND_GATHER)


def downgrade() -> None:
    """Operations that are not finished are deleted. The extensions stay, since others may use them."""
    for statement in (
        "drop function lock_and_gather",
        "drop table signing_key",
        "drop index operation_unfinished_idx, operation_completed_at_idx, identifier_fuzzy_idx",
        "delete from operation where completed_at is null",
        """
        alter table operation
            drop constraint operation_error_check, drop constraint operation_completed_check,
            drop column store_id, drop column input, drop column progress, drop column error_code,
            drop column error_detail, drop column lease, drop column leased_until, drop column attempts
        """,
        "alter table identifier drop column fuzzy_key",
        "alter table store drop column revision",
    ):
        op.execute(statement)
    environment = op.get_context().environment_context
    assert environment is not None
    op.execute(environment.script.get_revision(down_revision).module.LOCK_AND_GATHER)
