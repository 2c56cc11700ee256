"""Between which numbers the events of an import are, and what the undo of an import did."""

from alembic import op

revision = "2026_11_29_import_undo"
down_revision = "2026_11_29_cheap_suspects"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("alter table profile_import add column events_after bigint, add column events_until bigint")
    op.execute("""
        create table undo_result (
            account_id uuid not null,
            operation_id uuid not null,
            position integer not null,
            outcome text not null,
            profile_ids uuid[] not null,
            reason text,
            constraint undo_result_pkey primary key (account_id, operation_id, position),
            constraint undo_result_account_id_operation_id_fkey
                foreign key (account_id, operation_id) references operation (account_id, id) on delete cascade,
            constraint undo_result_outcome_check check (outcome in ('erased', 'split', 'restored', 'left'))
        )
    """)


def downgrade() -> None:
    op.execute("drop table undo_result")
    op.execute("delete from operation where kind = 'UNDO_IMPORT'")
    # The version before does not know this kind. Clients see it as a split anyway.
    op.execute("update event set kind = 'split' where kind = 'importUndone'")
    op.execute("alter table profile_import drop column events_after, drop column events_until")
