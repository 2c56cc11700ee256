"""Each store keeps which version normalizes its values anew, until a process of an older version writes to it."""

from alembic import op

revision = "2026_11_28_versions_side_by_side"
down_revision = "2026_11_28_names_per_value"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table store add column renormalized_by jsonb")


def downgrade() -> None:
    op.execute("alter table store drop column renormalized_by")
