"""One-time codes that sign in to the console."""

from alembic import op

revision = "2026_11_29_sign_in_links"
down_revision = "2026_11_29_names_by_statement"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        create table sign_in_link (
            code_sha256 bytea not null,
            sid text not null,
            expires_at timestamp with time zone not null,
            constraint sign_in_link_pkey primary key (code_sha256),
            constraint sign_in_link_sid_fkey foreign key (sid) references credential (sid) on delete cascade
        )
    """)


def downgrade() -> None:
    op.execute("drop table sign_in_link")
