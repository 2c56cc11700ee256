"""Sessions of the console that were ended by signing out."""

from alembic import op

revision = "2026_11_29_ended_sessions"
down_revision = "2026_11_29_sign_in_links"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        create table ended_session (
            session_id text not null,
            expires_at timestamp with time zone not null,
            constraint ended_session_pkey primary key (session_id)
        )
    """)


def downgrade() -> None:
    op.execute("drop table ended_session")
