"""Imports and the rows that they refused."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
)
from sqlalchemy.dialects.postgresql import JSONB

from profile_lookup.database.tables.columns import metadata, time_column

# What an import has beside its operation, which has the same ID and the status. It is deleted with its operation, or
# when its store is erased. No foreign key to `store`, since deleting a store must not wait for gigabytes.
profile_import = Table(
    "profile_import",
    metadata,
    Column("store_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, nullable=False),
    # It may be somebody's name, so only the import's owner sees it.
    Column("filename", Text, nullable=False),
    Column("file_size", Integer, nullable=False),
    # The contract's columnMappings; delimiter and encoding are null if they are to be detected.
    Column("column_mappings", JSONB, nullable=False),
    Column("delimiter", Text),
    Column("encoding", Text),
    # That of phone numbers without +, by ISO 3166; and whether a bad cell refuses its row.
    Column("country", Text),
    Column("is_strict", Boolean, nullable=False, server_default=false()),
    time_column("upload_until"),
    time_column("uploaded_at", nullable=True),
    # Null until the file has been examined. Rows count neither the header nor empty lines.
    Column("rows_total", Integer),
    Column("empty_lines", Integer, nullable=False),
    # How many of the rows that are done had which outcome.
    *(Column(outcome, Integer, nullable=False) for outcome in ("created", "updated", "merged", "refused")),
    # Cells of these rows that were ignored, and identifiers that a limit dropped. The defaults serve processes of
    # the version before, which create imports during an update.
    Column("cells_ignored", Integer, nullable=False, server_default="0"),
    Column("evicted", Integer, nullable=False, server_default="0"),
    # What is to be said once all rows are done: `imports/notices/`.
    Column("notices", JSONB),
    # Its events have numbers above the first and up to the second, so that an undo finds them. Null: not known.
    Column("events_after", BigInteger),
    Column("events_until", BigInteger),
    time_column("created_at"),
    time_column("updated_at"),
    UniqueConstraint("account_id", "id"),
    ForeignKeyConstraint(["account_id", "id"], ["operation.account_id", "operation.id"], ondelete="CASCADE"),
)

# Which rows of an import were refused, which cells were ignored, and why. Each row holds the lines of CSV that one step
# wrote. The default serves processes of the version before, which write here during an update.
import_refusals = Table(
    "import_refusals",
    metadata,
    Column("store_id", Uuid, primary_key=True),
    Column("import_id", Uuid, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("report", Text, nullable=False),
    Column("ignored_cells", Text, nullable=False, server_default=""),
    ForeignKeyConstraint(
        ["store_id", "import_id"], ["profile_import.store_id", "profile_import.id"], ondelete="CASCADE"
    ),
)
