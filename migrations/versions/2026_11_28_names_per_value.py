"""The different names under which a value of a unique type was written, from the second one on."""

from alembic import op

revision = "2026_11_28_names_per_value"
down_revision = "2026_11_28_blocked_values"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("alter table identifier add column names bigint[]")


def downgrade() -> None:
    op.execute("alter table identifier drop column names")
