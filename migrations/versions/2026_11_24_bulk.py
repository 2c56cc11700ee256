"""The items of an operation, such as the profiles of a batch."""

from alembic import op

revision = "2026_11_24_bulk"
down_revision = "2026_11_24_operations"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        create table operation_item (
            account_id uuid not null,
            operation_id uuid not null,
            position integer not null,
            input text,
            outcome text,
            profile_id uuid,
            error_code integer,
            error_detail text,
            constraint operation_item_pkey primary key (account_id, operation_id, position),
            constraint operation_item_account_id_operation_id_fkey
                foreign key (account_id, operation_id) references operation (account_id, id) on delete cascade,
            constraint operation_item_outcome_check
                check (outcome in ('created', 'updated', 'merged', 'failed')),
            constraint operation_item_input_check check ((input is null) = (outcome is not null)),
            constraint operation_item_profile_check
                check ((profile_id is not null) = (outcome is not null and outcome <> 'failed')),
            constraint operation_item_error_check
                check ((error_code is not null) = (outcome is not null and outcome = 'failed'))
        )
    """)


def downgrade() -> None:
    """Batches that are not finished are deleted."""
    op.execute("drop table operation_item")
    op.execute("delete from operation where completed_at is null and kind = 'UPDATE_PROFILES_BULK'")
