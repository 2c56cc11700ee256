"""Previews of settings: what they have found so far, and what they find."""

from alembic import op

revision = "2026_11_28_previews"
down_revision = "2026_11_28_traits_per_profile"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        create table preview_form (
            account_id uuid not null,
            operation_id uuid not null,
            id_type text not null,
            form bytea not null,
            profile_id uuid not null,
            since timestamptz not null,
            is_lost boolean not null default false,
            constraint preview_form_pkey primary key (account_id, operation_id, id_type, form, profile_id),
            constraint preview_form_account_id_operation_id_fkey foreign key (account_id, operation_id)
                references operation (account_id, id) on delete cascade
        )
    """)
    op.execute("""
        create table preview_result (
            account_id uuid not null,
            operation_id uuid not null,
            position integer not null,
            outcome text not null,
            profile_ids uuid[] not null,
            profile_count integer not null,
            id_type text not null,
            form bytea not null,
            reason text,
            constraint preview_result_pkey primary key (account_id, operation_id, position),
            constraint preview_result_account_id_operation_id_fkey foreign key (account_id, operation_id)
                references operation (account_id, id) on delete cascade,
            constraint preview_result_outcome_check check (outcome in ('merge', 'refused', 'removed'))
        )
    """)


def downgrade() -> None:
    op.execute("drop table preview_form, preview_result")
    op.execute("delete from operation where kind = 'PREVIEW_SETTINGS'")
