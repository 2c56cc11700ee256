"""What large splits, which are operations, leave or would leave."""

from alembic import op

revision = "2026_11_29_split_parts"
down_revision = "2026_11_29_import_undo"
branch_labels = None
depends_on = None


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
