"""Imports, their files until they have ended, and the rows that were refused.

`database/tables/` explains the tables.
"""

from alembic import op

revision = "2026_11_24_imports"
down_revision = "2026_11_24_bulk"
branch_labels = None
depends_on = None
phase = "expand"


TABLES = (
    """
    create table profile_import (
        store_id uuid not null,
        id uuid not null,
        account_id uuid not null,
        filename text not null,
        file_size integer not null,
        column_mappings jsonb not null,
        delimiter text,
        upload_until timestamptz not null,
        uploaded_at timestamptz,
        rows_total integer,
        empty_lines integer not null,
        created integer not null,
        updated integer not null,
        merged integer not null,
        refused integer not null,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        constraint profile_import_pkey primary key (store_id, id),
        constraint profile_import_account_id_id_key unique (account_id, id),
        constraint profile_import_account_id_id_fkey foreign key (account_id, id)
            references operation (account_id, id) on delete cascade
    )
    """,
    """
    create table operation_piece (
        account_id uuid not null,
        operation_id uuid not null,
        position integer not null,
        content bytea not null,
        constraint operation_piece_pkey primary key (account_id, operation_id, position),
        constraint operation_piece_account_id_operation_id_fkey foreign key (account_id, operation_id)
            references operation (account_id, id) on delete cascade
    )
    """,
    # The content is written and read once, so compressing it would take longer than it saves.
    "alter table operation_piece alter column content set storage external",
    """
    create table import_refusals (
        store_id uuid not null,
        import_id uuid not null,
        position integer not null,
        report text not null,
        constraint import_refusals_pkey primary key (store_id, import_id, position),
        constraint import_refusals_store_id_import_id_fkey foreign key (store_id, import_id)
            references profile_import (store_id, id) on delete cascade
    )
    """,
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Imports that are not finished are deleted."""
    op.execute("drop table import_refusals, operation_piece, profile_import")
    op.execute("delete from operation where kind = 'IMPORT_PROFILES' and completed_at is null")
