"""An API key may have a limit of its own on how many requests it sends."""

from alembic import op

revision = "2026_11_28_rate_limits"
down_revision = "2026_11_28_operation_turns"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        alter table credential
            add column rate_per_second double precision,
            add column rate_burst integer,
            add constraint credential_rate_is_whole_check check ((rate_per_second is null) = (rate_burst is null)),
            add constraint credential_rate_is_positive_check check (rate_per_second >= 0.001 and rate_burst >= 1)
    """)


def downgrade() -> None:
    op.execute("alter table credential drop column rate_per_second, drop column rate_burst")
