"""How a file that is imported is written and read, and which of its cells were ignored."""

from alembic import op

revision = "2026_11_28_import_options"
down_revision = "2026_11_28_history"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        alter table profile_import
            add column encoding text, add column country text, add column is_strict boolean not null default false
    """)
    op.execute("alter table import_refusals add column ignored_cells text not null default ''")


def downgrade() -> None:
    op.execute("alter table import_refusals drop column ignored_cells")
    op.execute("alter table profile_import drop column encoding, drop column country, drop column is_strict")
