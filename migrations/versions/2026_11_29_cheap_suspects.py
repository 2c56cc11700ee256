"""Suspects cost the writes less: docs/decisions/0051-cheaper-writes.md.

The function that counts names runs one statement instead of five, and no foreign key is checked for each suspect.
Whoever merges or erases profiles deletes their suspects.
"""

from typing import Any

from alembic import op

revision = "2026_11_29_cheap_suspects"
down_revision = "2026_11_28_import_options"
branch_labels = None
depends_on = None

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
        return null;  -- whoever merged or erased it deletes its suspects
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


def upgrade() -> None:
    op.execute(COUNT_NAMES)
    op.execute("drop function put_suspect")
    op.execute("alter table suspect drop constraint suspect_store_id_profile_id_fkey")


def downgrade() -> None:
    before = _suspects()
    op.execute(before.PUT_SUSPECT)
    op.execute(before.COUNT_NAMES.replace("create function", "create or replace function", 1))
    op.execute("""
        alter table suspect add constraint suspect_store_id_profile_id_fkey
            foreign key (store_id, profile_id) references profile (store_id, id) on delete cascade
    """)


def _suspects() -> Any:
    environment = op.get_context().environment_context
    assert environment is not None
    return environment.script.get_revision("2026_11_28_suspects").module
