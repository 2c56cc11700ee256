"""What large splits, which are operations, leave or would leave."""

from alembic import op

# The version before cannot read a trait with a mark, which is the third element: it says that the trait has lost its
# identifier. Events have such traits as they were before (p), and in absorbed profiles (b).
REMOVE_MARKS = """
create function pg_temp.without_marks(traits jsonb) returns jsonb language sql as $$
    select coalesce(
        jsonb_object_agg(
            described.key,
            (
                select coalesce(
                    jsonb_object_agg(
                        written.key,
                        case when jsonb_typeof(written.value) = 'array' then written.value - 2 else written.value end
                    ),
                    '{}'
                )
                from jsonb_each(described.value) as written
            )
        ),
        '{}'
    )
    from jsonb_each(traits) as described
$$;
update profile set traits = pg_temp.without_marks(traits) where traits @? '$.*.*[2]';
update event
set document = jsonb_set(cast(document as jsonb), '{p}', pg_temp.without_marks(cast(document -> 'p' as jsonb)))
where cast(document as jsonb) @? '$.p.*.*[2]';
update event
set document = jsonb_set(
    cast(document as jsonb),
    '{b}',
    (
        select jsonb_agg(
            jsonb_set(absorbed.profile, '{2}', pg_temp.without_marks(absorbed.profile -> 2)) order by absorbed.place
        )
        from jsonb_array_elements(cast(document -> 'b' as jsonb)) with ordinality as absorbed (profile, place)
    )
)
where cast(document as jsonb) @? '$.b[*][2].*.*[2]'
"""

revision = "2026_11_29_split_parts"
down_revision = "2026_11_29_import_undo"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        create table split_part (
            account_id uuid not null,
            operation_id uuid not null,
            position integer not null,
            profile_id uuid not null,
            is_new boolean not null,
            identifier_counts jsonb not null,
            constraint split_part_pkey primary key (account_id, operation_id, position),
            constraint split_part_account_id_operation_id_fkey foreign key (account_id, operation_id)
                references operation (account_id, id) on delete cascade
        )
    """)


def downgrade() -> None:
    op.execute("drop table split_part")
    op.execute("delete from operation where kind = 'SPLIT_PROFILE'")
    for statement in REMOVE_MARKS.split(";\n"):
        op.execute(statement)
