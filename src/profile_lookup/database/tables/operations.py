"""Operations: the queue, and what each works on and finds."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from profile_lookup.database.tables.columns import metadata, time_column

_IS_QUEUED = "completed_at is null and waits_until is null"
_IS_WAITING = "completed_at is null and waits_until is not null"

# Also the queue of long operations: `operations/job_worker.py`.
operation = Table(
    "operation",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    # No foreign key, since the operation that erases a store outlives the store.
    Column("store_id", Uuid),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    # What is to be done, and how far it is done.
    Column("input", JSONB, nullable=False),
    Column("progress", JSONB, nullable=False),
    # Once it is COMPLETED, the wire ID of what it created or changed; once it is FAILED, why it failed.
    Column("result_id", Text),
    Column("error_code", Integer),
    Column("error_detail", Text),
    # It must not overlap others of this store and this name. Until `waits_until` it is not in the queue, since it waits
    # for an upload; no worker takes it before `ready_at`.
    Column("sequence", Text, nullable=False, server_default=""),
    time_column("waits_until", nullable=True),
    Column("ready_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    # Which worker has it, until when, and how often it was taken since it last made progress.
    Column("lease", Uuid),
    time_column("leased_until", nullable=True),
    Column("attempts", Integer, nullable=False),
    time_column("created_at"),
    time_column("completed_at", nullable=True),
    ForeignKeyConstraint(["account_id"], ["account.id"]),
    CheckConstraint("status in ('PENDING', 'RUNNING', 'CANCELLED', 'COMPLETED', 'FAILED')", name="status"),
    CheckConstraint("(status in ('PENDING', 'RUNNING')) = (completed_at is null)", name="completed"),
    CheckConstraint("(status = 'FAILED') = (error_code is not null)", name="error"),
    Index("operation_queued_idx", "store_id", "sequence", "status", "id", postgresql_where=text(_IS_QUEUED)),
    Index("operation_waiting_idx", "waits_until", postgresql_where=text(_IS_WAITING)),
    Index("operation_of_store_waiting_idx", "store_id", postgresql_where=text(_IS_WAITING)),
    Index("operation_completed_at_idx", "completed_at", postgresql_where=text("completed_at is not null")),
)

# The sequences with operations in the queue, and when a worker looks at each next. A trigger makes the rows, at the
# commit of whoever enqueues: database/operation_turns.sql.
operation_turn = Table(
    "operation_turn",
    metadata,
    Column("store_id", Uuid, primary_key=True),
    Column("sequence", Text, primary_key=True),
    time_column("ready_at"),
    Index(None, "sequence", "ready_at"),
)

# The inputs that an operation handles one by one, and the outcome of each. They are deleted with the operation.
operation_item = Table(
    "operation_item",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("operation_id", Uuid, primary_key=True),
    Column("position", Integer, primary_key=True),
    # JSON, but as text, since JSONB cannot hold all of it. Null once the item is done.
    Column("input", Text),
    Column("outcome", Text),
    # The canonical profile at that time; or why the item failed.
    Column("profile_id", Uuid),
    Column("error_code", Integer),
    Column("error_detail", Text),
    ForeignKeyConstraint(["account_id", "operation_id"], ["operation.account_id", "operation.id"], ondelete="CASCADE"),
    CheckConstraint("outcome in ('created', 'updated', 'merged', 'failed')", name="outcome"),
    CheckConstraint("(input is null) = (outcome is not null)", name="input"),
    CheckConstraint("(profile_id is not null) = (outcome is not null and outcome <> 'failed')", name="profile"),
    CheckConstraint("(error_code is not null) = (outcome is not null and outcome = 'failed')", name="error"),
)

# The file that an operation works on, such as an import's: all of it or nothing. It is deleted when the operation ends.
operation_piece = Table(
    "operation_piece",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("operation_id", Uuid, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    ForeignKeyConstraint(["account_id", "operation_id"], ["operation.account_id", "operation.id"], ondelete="CASCADE"),
)

# Which profiles would come to have the same value, while a preview of settings is worked on. It holds hashes of values,
# and is deleted when the operation ends.
preview_form = Table(
    "preview_form",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("operation_id", Uuid, primary_key=True),
    Column("id_type", Text, primary_key=True),
    Column("form", LargeBinary, primary_key=True),
    Column("profile_id", Uuid, primary_key=True),
    # Since when the profile has had the value. It loses it if somebody kept apart from it had it first.
    time_column("since"),
    Column("is_lost", Boolean, nullable=False, server_default="false"),
    ForeignKeyConstraint(["account_id", "operation_id"], ["operation.account_id", "operation.id"], ondelete="CASCADE"),
)

# What a preview of settings has found. It has no values: whoever lists the results finds each value again among the
# identifiers of the profiles, by its hash. It is deleted with the operation.
preview_result = Table(
    "preview_result",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("operation_id", Uuid, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("outcome", Text, nullable=False),
    # The first of the profiles, and how many there are.
    Column("profile_ids", ARRAY(Uuid), nullable=False),
    Column("profile_count", Integer, nullable=False),
    Column("id_type", Text, nullable=False),
    Column("form", LargeBinary, nullable=False),
    Column("reason", Text),
    ForeignKeyConstraint(["account_id", "operation_id"], ["operation.account_id", "operation.id"], ondelete="CASCADE"),
    CheckConstraint("outcome in ('merge', 'refused', 'removed')", name="outcome"),
)

# What the undo of an import did, or would do if it is a dry run. It is deleted with the operation.
undo_result = Table(
    "undo_result",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("operation_id", Uuid, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("profile_ids", ARRAY(Uuid), nullable=False),
    Column("reason", Text),
    ForeignKeyConstraint(["account_id", "operation_id"], ["operation.account_id", "operation.id"], ondelete="CASCADE"),
    CheckConstraint("outcome in ('erased', 'split', 'restored', 'left')", name="outcome"),
)

# What a split that is an operation leaves, or would leave. There are no values in it, since it is kept for days and a
# value may be removed meanwhile.
split_part = Table(
    "split_part",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("operation_id", Uuid, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("profile_id", Uuid, nullable=False),
    Column("is_new", Boolean, nullable=False),
    # How many identifiers it has of each type.
    Column("identifier_counts", JSONB, nullable=False),
    ForeignKeyConstraint(["account_id", "operation_id"], ["operation.account_id", "operation.id"], ondelete="CASCADE"),
)
