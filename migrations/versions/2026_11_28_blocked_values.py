"""Blocked values: a store's own, which are rules like its settings.

A store that exists already blocks nothing but the placeholders until its owner says otherwise.
"""

from alembic import op

revision = "2026_11_28_blocked_values"
down_revision = "2026_11_28_weak_matches"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    # The default also serves the processes of the version before, which create stores during an update.
    op.execute("""
        alter table store
            add column blocked_values jsonb not null default '{}',
            add column blocked_values_version bigint not null default 1
    """)


def downgrade() -> None:
    op.execute("alter table store drop column blocked_values, drop column blocked_values_version")
    op.execute("delete from operation where kind = 'UPDATE_BLOCKED_VALUES' and completed_at is null")
