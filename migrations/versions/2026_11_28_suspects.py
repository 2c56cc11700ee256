"""Suspects: profiles that may be several people. docs/decisions/0045-suspects.md says how they are kept up to date.

Writes of profiles wait while the suspects among the stored profiles are found.
"""

from alembic import op

revision = "2026_11_28_suspects"
down_revision = "2026_11_28_previews"
branch_labels = None
depends_on = None
phase = "expand"

COUNT_NAMES = """
create function count_names()
returns trigger
language plpgsql
as $$
declare
    changed identifier := case when tg_op = 'DELETE' then old else new end;
    names_of_value integer;
    names_of_profile integer;
begin
    if not exists (select from profile p where p.store_id = changed.store_id and p.id = changed.profile_id) then
        return null;  -- it was merged or erased, and its suspects are deleted with it
    end if;

    select max(cardinality(i.names)) into names_of_value
    from identifier i
    where i.store_id is not distinct from changed.store_id and i.profile_id = changed.profile_id
        and i.id_type = changed.id_type and i.value = changed.value;
    perform put_suspect(
        changed.store_id, changed.profile_id, 'sharedValue', changed.id_type, hashtextextended(changed.value, 0),
        names_of_value
    );

    -- A value may have 1,000 names, and many values of a profile may change at once.
    select count(distinct counted.name) into names_of_profile
    from identifier i cross join lateral unnest(i.names[1 : 100]) as counted (name)
    where i.store_id is not distinct from changed.store_id and i.profile_id = changed.profile_id;
    perform put_suspect(changed.store_id, changed.profile_id, 'namesDisagree', '', 0, names_of_profile);
    return null;
end
$$;
"""

PUT_SUSPECT = """
create function put_suspect(
    in_store uuid, of_profile uuid, for_reason text, of_type text, of_value bigint, new_severity integer
)
returns void
language plpgsql
as $$
begin
    if coalesce(new_severity, 0) < 2 then
        delete from suspect s
        where s.store_id = in_store and s.profile_id = of_profile and s.reason = for_reason and s.id_type = of_type
            and s.value_hash = of_value;
        return;
    end if;
    insert into suspect (store_id, profile_id, reason, id_type, value_hash, severity)
    values (in_store, of_profile, for_reason, of_type, of_value, new_severity)
    on conflict on constraint suspect_pkey do update set severity = excluded.severity
    where suspect.severity <> excluded.severity;
end
$$;
"""

TRIGGERS = (
    """
create trigger identifier_with_names_is_inserted
after insert on identifier
for each row
when (new.names is not null)
execute function count_names();
    """,
    """
create trigger identifier_gets_other_names
after update of names on identifier
for each row
when (new.names is distinct from old.names)
execute function count_names();
    """,
    """
create trigger identifier_with_names_is_deleted
after delete on identifier
for each row
when (old.names is not null)
execute function count_names();
    """,
)

FILL = """
    insert into suspect (store_id, profile_id, reason, id_type, value_hash, severity)
    select store_id, profile_id, 'manyIdentifiers', '', 0, count(*)
    from identifier
    group by store_id, profile_id
    having count(*) >= 20
    union all
    select store_id, profile_id, 'sharedValue', id_type, hashtextextended(value, 0), max(cardinality(names))
    from identifier
    where cardinality(names) >= 2
    group by store_id, profile_id, id_type, hashtextextended(value, 0)
    union all
    select store_id, profile_id, 'namesDisagree', '', 0, count(distinct counted.name)
    from identifier cross join lateral unnest(names[1 : 100]) as counted (name)
    where names is not null
    group by store_id, profile_id
    having count(distinct counted.name) >= 2
"""


def upgrade() -> None:
    op.execute("""
        create table suspect (
            store_id uuid not null,
            profile_id uuid not null,
            reason text not null,
            id_type text not null,
            value_hash bigint not null,
            severity integer not null,
            constraint suspect_pkey primary key (store_id, profile_id, reason, id_type, value_hash),
            constraint suspect_store_id_profile_id_fkey foreign key (store_id, profile_id)
                references profile (store_id, id) on delete cascade,
            constraint suspect_reason_check check (reason in ('manyIdentifiers', 'sharedValue', 'namesDisagree'))
        )
    """)
    op.execute(
        "create index suspect_worst_idx on suspect (store_id, severity, reason, profile_id, id_type, value_hash)"
    )
    op.execute(PUT_SUSPECT)
    op.execute(COUNT_NAMES)
    for trigger in TRIGGERS:  # from now on until the end, no other transaction writes identifiers
        op.execute(trigger)
    op.execute(FILL)


def downgrade() -> None:
    for name in ("with_names_is_inserted", "gets_other_names", "with_names_is_deleted"):
        op.execute(f"drop trigger identifier_{name} on identifier")
    op.execute("drop function count_names, put_suspect")
    op.execute("drop table suspect")
