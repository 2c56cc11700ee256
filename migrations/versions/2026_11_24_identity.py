"""Accounts, stores, profiles and their identifiers.

`database/tables/` explains the tables, docs/decisions/0003-resolution-under-races.md the function.
"""

from alembic import op

revision = "2026_11_24_identity"
down_revision = None
branch_labels = None
depends_on = None
phase = "expand"

TABLES = """
create table account (
    id uuid not null constraint account_pkey primary key,
    sid text not null constraint account_sid_key unique,
    name text not null,
    created_at timestamptz not null
);

create table credential (
    account_id uuid not null constraint credential_account_id_fkey references account (id),
    sid text not null constraint credential_sid_key unique,
    secret_sha256 bytea not null,
    scope text not null constraint credential_scope_check check (scope in ('lookup', 'full')),
    name text not null,
    created_at timestamptz not null,
    constraint credential_pkey primary key (account_id, sid)
);

create table store (
    account_id uuid not null constraint store_account_id_fkey references account (id),
    id uuid not null constraint store_id_key unique,
    display_name text not null,
    description text,
    status text not null
        constraint store_status_check check (status in ('QUEUED', 'PROVISIONING', 'ACTIVE', 'FAILED')),
    version bigint not null,
    settings jsonb not null,
    settings_version bigint not null,
    created_at timestamptz not null,
    constraint store_pkey primary key (account_id, id),
    constraint store_account_id_display_name_key unique (account_id, display_name)
);

create table trait_group (
    store_id uuid not null constraint trait_group_store_id_fkey references store (id),
    name text not null,
    description text,
    traits jsonb not null,
    version bigint not null,
    created_at timestamptz not null,
    constraint trait_group_pkey primary key (store_id, name)
);

create table operation (
    account_id uuid not null constraint operation_account_id_fkey references account (id),
    id uuid not null,
    kind text not null,
    status text not null constraint operation_status_check
        check (status in ('PENDING', 'RUNNING', 'CANCELLED', 'COMPLETED', 'FAILED')),
    result_id text,
    created_at timestamptz not null,
    completed_at timestamptz,
    constraint operation_pkey primary key (account_id, id)
);

create table profile (
    store_id uuid not null,
    id uuid not null,
    created_at timestamptz not null,
    constraint profile_pkey primary key (store_id, id)
);

create table alias (
    store_id uuid not null,
    id uuid not null,
    profile_id uuid not null,
    constraint alias_pkey primary key (store_id, id),
    constraint alias_store_id_profile_id_fkey foreign key (store_id, profile_id) references profile (store_id, id),
    constraint alias_canonical_is_earliest_check check (profile_id < id)
);
create index alias_store_id_profile_id_idx on alias (store_id, profile_id);

create table identifier (
    store_id uuid not null,
    id_type text not null,
    value text not null,
    profile_id uuid not null,
    is_unique boolean not null,
    added_at timestamptz not null,
    constraint identifier_pkey primary key (store_id, id_type, value, profile_id),
    constraint identifier_store_id_profile_id_fkey
        foreign key (store_id, profile_id) references profile (store_id, id)
);
create index identifier_store_id_profile_id_idx on identifier (store_id, profile_id);
create unique index identifier_enforce_unique_idx on identifier (store_id, id_type, value) where is_unique;

create table trait (
    store_id uuid not null,
    profile_id uuid not null,
    group_name text not null,
    name text not null,
    value jsonb not null,
    written_at timestamptz not null,
    constraint trait_pkey primary key (store_id, profile_id, group_name, name),
    constraint trait_store_id_profile_id_fkey foreign key (store_id, profile_id) references profile (store_id, id)
);

create table merge (
    store_id uuid not null,
    id uuid not null,
    canonical_id uuid not null,
    absorbed_ids uuid[] not null,
    rule text not null,
    moved jsonb not null,
    merged_at timestamptz not null,
    constraint merge_pkey primary key (store_id, id)
);
create index merge_store_id_canonical_id_idx on merge (store_id, canonical_id);
"""

LOCK_AND_GATHER = """
create function lock_and_gather(in_store uuid, lock_keys bigint[], match_types text[], match_values text[])
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
        select distinct held.profile_id
        from unnest(match_types, match_values) as wanted (id_type, value)
        cross join lateral (
            select i.profile_id from identifier i
            where i.store_id = in_store and i.id_type = wanted.id_type and i.value = wanted.value
            offset 0
        ) held
    )
    select
        holder.profile_id, holder.profile_id = any (locked),
        known.types, known.vals, known.times,
        had.groups, had.names, had.vals, had.times
    from holder
    cross join lateral (
        select array_agg(i.id_type) as types, array_agg(i.value) as vals, array_agg(i.added_at) as times
        from identifier i where i.store_id = in_store and i.profile_id = holder.profile_id
    ) known
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
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute(LOCK_AND_GATHER)


def downgrade() -> None:
    op.execute("drop function lock_and_gather")
    op.execute(
        "drop table merge, trait, identifier, alias, profile, operation, trait_group, store, credential, account"
    )
