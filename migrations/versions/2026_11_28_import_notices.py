"""What an import says at its end about values that stood in very many rows."""

from alembic import op

revision = "2026_11_28_import_notices"
down_revision = "2026_11_28_names_per_value"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("alter table profile_import add column notices jsonb")


def downgrade() -> None:
    op.execute("alter table profile_import drop column notices")
