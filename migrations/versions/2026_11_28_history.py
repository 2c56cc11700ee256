"""Events instead of merges, what a profile says of its creation, separations, and the feed: see decision record 0043.

A merge that was recorded before becomes an event that can be seen, and not be undone: who merged, when and by which
rule. The values that it kept go, since some of them may have been removed from their profiles meanwhile.
"""

from alembic import op

revision = "2026_11_28_history"
down_revision = "2026_11_28_suspects"
branch_labels = None
depends_on = None
phase = "contract"
serves_from = revision

TABLES = """
create sequence event_number;

create table event (
    store_id uuid not null,
    number bigint not null default nextval('event_number'),
    id uuid not null,
    profile_id uuid,
    kind text not null,
    happened_at timestamptz not null,
    document json not null,
    repetition_key bigint,
    constraint event_pkey primary key (store_id, number)
);
create index event_profile_id_number_idx on event (profile_id, number);

create table separation (
    store_id uuid not null,
    id uuid not null,
    decision uuid not null,
    part integer not null,
    is_lifted boolean not null,
    decided_at timestamptz not null,
    constraint separation_pkey primary key (store_id, id, decision)
);
create index separation_store_id_decision_idx on separation (store_id, decision);

create table history_end (
    store_id uuid not null,
    number bigint not null,
    constraint history_end_pkey primary key (store_id)
);

create table event_feed (
    store_id uuid not null,
    settled bigint not null,
    unsettled bigint[] not null,
    mark_transaction bigint not null,
    mark_number bigint not null,
    constraint event_feed_pkey primary key (store_id)
);

create table event_batch (
    store_id uuid not null,
    batch bigint not null,
    up_to bigint not null,
    late bigint[] not null,
    settled bigint not null,
    constraint event_batch_pkey primary key (store_id, batch)
);

alter table profile
    add column creation_number bigint,
    add column created_by text,
    add column is_separated boolean not null default false;
alter table profile alter column creation_number set default nextval('event_number');
create unique index profile_creation_number_idx on profile (store_id, creation_number)
    where creation_number is not null;
"""

# The IDs of the document are in base64, as `identity/history/event_document.py` writes them.
EVENTS_OF_MERGES = """
insert into event (store_id, id, profile_id, kind, happened_at, document)
select
    store_id, id, canonical_id, 'merged', merged_at,
    json_build_object(
        'i', json_build_array(),
        'b', (
            select json_agg(
                json_build_array(
                    rtrim(translate(encode(uuid_send(absorbed.id), 'base64'), '+/', '-_'), '='),
                    json_build_array(),
                    json_build_object()
                )
                order by absorbed.position
            )
            from unnest(absorbed_ids) with ordinality as absorbed (id, position)
        ),
        'r', rule,
        'x', true
    )
from merge
order by merged_at, id
"""

ARGUMENTS = "uuid, bigint, bigint, bigint[], text[], text[], uuid, text[], text[], integer[]"

SEPARATIONS_OF = """
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
        holder.id, holder.id = any (locked), held.types, held.vals, held.times, described.*
    from (select distinct h.id from unnest(holders) as h (id)) holder
    cross join lateral (
        select array_agg(i.id_type) as types, array_agg(i.value) as vals, array_agg(i.added_at) as times
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


def upgrade() -> None:
    op.execute("set local statement_timeout = 0")
    for statement in TABLES.strip().split(";\n"):
        op.execute(statement)
    op.execute(EVENTS_OF_MERGES)
    op.execute("drop table merge")
    op.execute(f"drop function lock_and_gather({ARGUMENTS})")
    op.execute(SEPARATIONS_OF)
    op.execute(LOCK_AND_GATHER)


DOWNGRADE = """
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
insert into merge
select
    store_id, id, profile_id,
    array(
        select cast(encode(decode(translate(absorbed ->> 0, '-_', '+/') || '==', 'base64'), 'hex') as uuid)
        from json_array_elements(document -> 'b') as absorbed
    ),
    document ->> 'r', '[]', happened_at
from event
where kind = 'merged' and document -> 'u' is null;
alter table profile
    drop column creation_number,
    drop column created_by,
    drop column is_separated;
drop table event, separation, history_end, event_feed, event_batch;
drop sequence event_number;
"""

LOCK_AND_GATHER_BEFORE = """
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


def downgrade() -> None:
    op.execute("set local statement_timeout = 0")
    for statement in DOWNGRADE.strip().split(";\n"):
        op.execute(statement)
    op.execute(f"drop function lock_and_gather({ARGUMENTS})")
    op.execute("drop function separations_of(uuid, uuid)")
    op.execute(LOCK_AND_GATHER_BEFORE)
