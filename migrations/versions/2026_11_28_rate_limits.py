"""Rate limits of single API keys."""

from alembic import op

revision = "2026_11_28_rate_limits"
down_revision = "2026_11_28_operation_turns"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        alter table credential
            add column rate_per_second double precision,
            add column rate_burst integer
    """)


def downgrade() -> None:
    op.execute("alter table credential drop column rate_per_second, drop column rate_burst")
