"""Names that an update adds are counted once per statement: docs/decisions/0068-names-by-statement.md.

No column or table changes. A process of the version before may run beside this one: the triggers count for both.
Writes of identifiers wait while the triggers are replaced, which reads no row.
"""

from alembic import op

revision = "2026_11_29_names_by_statement"
down_revision = "2026_11_29_short_events"
branch_labels = None
depends_on = None

COUNT_UPDATED_NAMES = """
create function count_updated_names()
returns trigger
language plpgsql
as $$
begin
    if not exists (select from updated u where cardinality(u.names) >= 2) then
        return null;
    end if;
    insert into suspect (store_id, profile_id, reason, id_type, value_hash, severity)
    select
        u.store_id, u.profile_id, 'sharedValue', u.id_type, hashtextextended(u.value, 0), max(cardinality(u.names))
    from updated u
    where cardinality(u.names) >= 2
    group by u.store_id, u.profile_id, u.id_type, hashtextextended(u.value, 0)
    union all
    select changed.store_id, changed.profile_id, 'namesDisagree', '', 0, (
        select count(distinct counted.name)
        from identifier i cross join lateral unnest(i.names[1 : 100]) as counted (name)
        where i.store_id is not distinct from changed.store_id and i.profile_id = changed.profile_id
    )
    from (select distinct u.store_id, u.profile_id from updated u where cardinality(u.names) >= 2) changed
    on conflict on constraint suspect_pkey do update set severity = excluded.severity
    where suspect.severity <> excluded.severity;
    return null;
end
$$;
"""

TRIGGERS = (
    """
create trigger identifiers_get_other_names
after update on identifier
referencing new table as updated
for each statement
execute function count_updated_names();
    """,
    """
create trigger identifier_loses_names
after update of names on identifier
for each row
when (new.names is distinct from old.names and coalesce(cardinality(new.names), 0) < 2)
execute function count_names();
    """,
)

TRIGGER_BEFORE = """
create trigger identifier_gets_other_names
after update of names on identifier
for each row
when (new.names is distinct from old.names)
execute function count_names();
"""


def upgrade() -> None:
    op.execute("drop trigger identifier_gets_other_names on identifier")
    op.execute(COUNT_UPDATED_NAMES)
    for trigger in TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    op.execute("drop trigger identifiers_get_other_names on identifier")
    op.execute("drop trigger identifier_loses_names on identifier")
    op.execute("drop function count_updated_names")
    op.execute(TRIGGER_BEFORE)
