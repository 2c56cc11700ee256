"""Each store keeps the normalization version by which its values were made, and how many of them it keeps unchanged.

The values of existing stores are of no known version, so the worker normalizes them anew. The default is for processes
of an earlier release that create stores beside this one.
"""

from alembic import op

revision = "2026_11_28_normalization_version"
down_revision = "2026_11_24_imports"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        alter table store
            add column normalization jsonb not null
                default '{"rules": 1, "phonenumbers": "0", "idna": "0", "unicode": "0"}',
            add column kept_values bigint not null default 0
    """)


def downgrade() -> None:
    op.execute("alter table store drop column normalization, drop column kept_values")
