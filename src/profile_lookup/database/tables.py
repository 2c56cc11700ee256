"""Every table, index and constraint: the schema on one page.

Every primary key but those of `account` and `signing_key` starts with its tenant, `account_id` or `store_id`. The
constraints are alarms: in a correct run none of them fires, and a mistake fails a transaction instead of losing data.

- `identifier` and `alias` point at `profile`, which holds canonical profiles only, and neither foreign key
  cascades: an identifier is never on an alias, an alias never points at an alias, and a merge that omits a row
  fails.
- `identifier.shared_by` is empty if its type's values are unique (`enforceUnique`), and the profile's ID if not. So
  the primary key allows one holder of a unique value, and many holders of another one.
- `identifier.fuzzy_key` stands for store and type where `matchingAlgo` is fuzzy, so that the index for similarity
  holds only identifiers that are searched by it.

Values of identifiers and traits are in `identifier.value`, `profile.traits` and `event.document`, in
`operation_item.input` until the item is done, in `operation_piece.content` until the operation has ended, and nowhere
else. Those that a store blocks are also in `store.blocked_values`.
"""

import json

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from profile_lookup.database.naming_convention import NAMING_CONVENTION
from profile_lookup.identity.values.normalization_version import UNVERSIONED

metadata = MetaData(naming_convention=NAMING_CONVENTION)


def _time(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


account = Table(
    "account",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("sid", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    _time("created_at"),
    Column("is_enabled", Boolean, nullable=False, server_default="true"),
    # The row of a deleted account stays until its operations are gone.
    _time("deleted_at", nullable=True),
    UniqueConstraint("id", "is_enabled"),
)

_SCOPES = "case scope when 'full' then array['lookup', 'read', 'write', 'manage'] else string_to_array(scope, ' ') end"

credential = Table(
    "credential",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    # The user name of HTTP Basic: the account's SID with its auth token, or an API key's SID with its secret.
    Column("sid", Text, primary_key=True),
    # One SHA-256 is enough for the secrets that we make, 256 random bits; an operator chooses the bootstrap token.
    Column("secret_sha256", LargeBinary, nullable=False),
    # "full", or scopes separated by spaces, as in OAuth. Processes of the version before allow everything to "full" and
    # nothing but lookups to any other.
    Column("scope", Text, nullable=False),
    Column("name", Text, nullable=False),
    _time("created_at"),
    # The key's own limit, instead of the settings': requests per second, and how many at once. Both are null, or none.
    Column("rate_per_second", Double),
    Column("rate_burst", Integer),
    # The only stores that the key is for; null: all stores of the account. The ID of a deleted store stays, so that
    # no deletion makes a key one for all stores.
    Column("store_ids", ARRAY(Uuid)),
    _time("expires_at", nullable=True),
    _time("last_used_at", nullable=True),
    # The secret before the last rotation, which is accepted until then.
    Column("former_sha256", LargeBinary),
    _time("former_until", nullable=True),
    Column("version", BigInteger, nullable=False, server_default="1"),
    # Repeats the account's, so that to verify a caller reads one table.
    Column("is_enabled", Boolean, nullable=False, server_default="true"),
    Column("scopes", ARRAY(Text), Computed(_SCOPES, persisted=True), nullable=False),
    UniqueConstraint("sid"),
    ForeignKeyConstraint(["account_id", "is_enabled"], ["account.id", "account.is_enabled"], onupdate="CASCADE"),
    CheckConstraint("scope ~ '^(full|(lookup|read|write|manage)( (lookup|read|write|manage))*)$'", name="scope"),
    CheckConstraint("store_ids <> '{}'", name="store_ids"),
    CheckConstraint("(rate_per_second is null) = (rate_burst is null)", name="rate_is_whole"),
    CheckConstraint("rate_per_second >= 0.001 and rate_burst >= 1", name="rate_is_positive"),
)

store = Table(
    "store",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("description", Text),
    Column("status", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    # The contract's IdentityResolutionSettingsCore; `settings_version` changes whenever the document does.
    Column("settings", JSONB, nullable=False),
    Column("settings_version", BigInteger, nullable=False),
    # The normalization version by which the stored values were made, and how many values are kept though today's rules
    # refuse them. The defaults are for an earlier release that creates stores beside this one.
    Column("normalization", JSONB, nullable=False, server_default=json.dumps(UNVERSIONED.to_document())),
    Column("kept_values", BigInteger, nullable=False, server_default="0"),
    # The version that normalizes them anew, or did so last; null if an older process has written since.
    Column("renormalized_by", JSONB),
    # `identity/blocked_values.py`; the values in it are normalized. `blocked_values_version` changes whenever it does.
    Column("blocked_values", JSONB, nullable=False, server_default="{}"),
    Column("blocked_values_version", BigInteger, nullable=False, server_default="1"),
    # Changes whenever the settings, the blocked values or a trait group change: what a process has cached of a store is
    # valid until then.
    Column("revision", BigInteger, nullable=False),
    _time("created_at"),
    UniqueConstraint("id"),
    UniqueConstraint("account_id", "display_name"),
    ForeignKeyConstraint(["account_id"], ["account.id"]),
    CheckConstraint("status in ('QUEUED', 'PROVISIONING', 'ACTIVE', 'FAILED')", name="status"),
)

trait_group = Table(
    "trait_group",
    metadata,
    Column("store_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("description", Text),
    # The contract's TraitGroup.traits.
    Column("traits", JSONB, nullable=False),
    Column("version", BigInteger, nullable=False),
    _time("created_at"),
    ForeignKeyConstraint(["store_id"], ["store.id"]),
)

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
    _time("waits_until", nullable=True),
    Column("ready_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    # Which worker has it, until when, and how often it was taken since it last made progress.
    Column("lease", Uuid),
    _time("leased_until", nullable=True),
    Column("attempts", Integer, nullable=False),
    _time("created_at"),
    _time("completed_at", nullable=True),
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
    _time("ready_at"),
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
    _time("since"),
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

EVENT_NUMBERS = Sequence("event_number", metadata=metadata)

# No foreign key to `store`: every create would lock the store's row, and creates of a busy store would wait there.
profile = Table(
    "profile",
    metadata,
    Column("store_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    _time("created_at"),
    # The values and times of the traits: `documents.serialized_traits`.
    Column("traits", JSONB, nullable=False, server_default="{}"),
    # The number of the event of its creation, as long as nothing else has happened to it: then the row says all that
    # the event would say, and there is no row of `event`. Else, it is null.
    Column("creation_number", BigInteger, server_default=EVENT_NUMBERS.next_value()),
    # Who asked for its creation: `documents.actor_text`. Null if `creation_number` is, or if nobody knows.
    Column("created_by", Text),
    # Whether `separation` has rows of its ID or of its aliases.
    Column("is_separated", Boolean, nullable=False, server_default="false"),
    Index(
        "profile_creation_number_idx",
        "store_id",
        "creation_number",
        unique=True,
        postgresql_where=text("creation_number is not null"),
    ),
)

alias = Table(
    "alias",
    metadata,
    Column("store_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("profile_id", Uuid, nullable=False),
    ForeignKeyConstraint(["store_id", "profile_id"], ["profile.store_id", "profile.id"]),
    Index(None, "store_id", "profile_id"),
    CheckConstraint("profile_id < id", name="canonical_is_earliest"),
)

identifier = Table(
    "identifier",
    metadata,
    Column("store_id", Uuid),
    Column("id_type", Text),
    Column("value", Text),
    Column("profile_id", Uuid, nullable=False),
    Column("shared_by", LargeBinary),
    _time("added_at"),
    Column("fuzzy_key", BigInteger),
    # Hashes of the different names under which it was written, if there are several: `identity/person_names.py`.
    Column("names", ARRAY(BigInteger)),
    # A Lookup is one index-only scan of the primary key, already in canonical order.
    PrimaryKeyConstraint("store_id", "id_type", "value", "shared_by", postgresql_include=["profile_id"]),
    CheckConstraint("shared_by in ('', uuid_send(profile_id))", name="shared_by"),
    ForeignKeyConstraint(["store_id", "profile_id"], ["profile.store_id", "profile.id"]),
    # Without the store it is smaller, and no plan that is made while the table is empty takes it for the primary key.
    # Whoever searches by profile compares the store by `is not distinct from`, for which PostgreSQL uses no index, so
    # that no such plan takes the primary key for this one either.
    Index(None, "profile_id"),
    # `fastupdate` is off, since a search would have to read the whole list of pending entries.
    Index(
        "identifier_fuzzy_idx",
        "fuzzy_key",
        "value",
        postgresql_using="gin",
        postgresql_ops={"value": "gin_trgm_ops"},
        postgresql_with={"fastupdate": "off"},
        postgresql_where=text("fuzzy_key is not null"),
    ),
)

# Profiles that may be several people: a value was written under several names, a profile's names disagree, or it has
# very many identifiers. Triggers keep the first two up to date (database/suspects.sql), and the writes keep the third
# (ingest/large_profiles.py). No foreign key, since to check it for each suspect would take longer than to write it.
suspect = Table(
    "suspect",
    metadata,
    Column("store_id", Uuid, primary_key=True),
    Column("profile_id", Uuid, primary_key=True),
    Column("reason", Text, primary_key=True),
    # Of a shared value; the value itself is in `identifier` alone.
    Column("id_type", Text, primary_key=True),
    Column("value_hash", BigInteger, primary_key=True, autoincrement=False),
    # How many names, or identifiers.
    Column("severity", Integer, nullable=False),
    CheckConstraint("reason in ('manyIdentifiers', 'sharedValue', 'namesDisagree')", name="reason"),
    Index("suspect_worst_idx", "store_id", "severity", "reason", "profile_id", "id_type", "value_hash"),
)

# What happened to profiles, but for creations that `profile.creation_number` stands for. `identity/history/` derives
# the events, and `database/event_rows.py` reads and writes them.
event = Table(
    "event",
    metadata,
    Column("store_id", Uuid, primary_key=True),
    # A write draws it while it holds all its locks. So it is higher than the numbers of all events that this one
    # depends on, but a transaction may commit after others that drew higher ones.
    Column("number", BigInteger, primary_key=True, server_default=EVENT_NUMBERS.next_value()),
    Column("id", Uuid, nullable=False),
    # The canonical profile at the time; a later merge may have made it an alias. Null: the store's settings changed.
    Column("profile_id", Uuid),
    Column("kind", Text, nullable=False),
    _time("happened_at"),
    # As text, which is much shorter than JSONB for documents of this size: `identity/history/event_document.py`.
    Column("document", JSON, nullable=False),
    # Of an event that changed nothing but times, stands for what it says, so that repetitions can be deleted.
    Column("repetition_key", BigInteger),
    # As for `identifier`, the store is not part of it.
    Index(None, "profile_id", "number"),
)

# That a split keeps profiles apart: `identity/history/separations.py`. `id` is a profile's, or that of an alias.
separation = Table(
    "separation",
    metadata,
    Column("store_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    # The ID of the split's event, or of the request that lifts an earlier one.
    Column("decision", Uuid, primary_key=True),
    Column("part", Integer, nullable=False),
    Column("is_lifted", Boolean, nullable=False),
    _time("decided_at"),
    Index(None, "store_id", "decision"),
)

# How far a store's history has ended: `jobs/history_end.py`. A row is made when its first event ends.
history_end = Table(
    "history_end",
    metadata,
    Column("store_id", Uuid, primary_key=True),
    # All events up to this number have ended.
    Column("number", BigInteger, nullable=False),
)

# How far a store's feed of events is: `history/feed.py`. A row is made when somebody reads it for the first time.
event_feed = Table(
    "event_feed",
    metadata,
    Column("store_id", Uuid, primary_key=True),
    # No transaction that is under way has drawn a number up to this one.
    Column("settled", BigInteger, nullable=False),
    # The events in the feed whose numbers are higher than that.
    Column("unsettled", ARRAY(BigInteger), nullable=False),
    # Once all transactions before this one have ended, all numbers up to `mark_number` are settled.
    Column("mark_transaction", BigInteger, nullable=False),
    Column("mark_number", BigInteger, nullable=False),
)

# The order of a store's feed: batch by batch, and within a batch by number.
event_batch = Table(
    "event_batch",
    metadata,
    Column("store_id", Uuid, primary_key=True),
    Column("batch", BigInteger, primary_key=True),
    # It has the events whose numbers are higher than those of the batch before, and not higher than this one.
    Column("up_to", BigInteger, nullable=False),
    # Of these numbers the batch before has none: their transactions committed too late for it. In ascending order.
    Column("late", ARRAY(BigInteger), nullable=False),
    # What `event_feed.settled` was then: all late numbers of this batch and of later ones are higher.
    Column("settled", BigInteger, nullable=False),
)

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
    _time("upload_until"),
    _time("uploaded_at", nullable=True),
    # Null until the file has been examined. Rows count neither the header nor empty lines.
    Column("rows_total", Integer),
    Column("empty_lines", Integer, nullable=False),
    # How many of the rows that are done had which outcome.
    *(Column(outcome, Integer, nullable=False) for outcome in ("created", "updated", "merged", "refused")),
    # Cells of these rows that were ignored, and identifiers that a limit dropped. The defaults serve processes of
    # the version before, which create imports during an update.
    Column("cells_ignored", Integer, nullable=False, server_default="0"),
    Column("evicted", Integer, nullable=False, server_default="0"),
    # What is to be said once all rows are done: `imports/notices.py`.
    Column("notices", JSONB),
    # Its events have numbers above the first and up to the second, so that an undo finds them. Null: not known.
    Column("events_after", BigInteger),
    Column("events_until", BigInteger),
    _time("created_at"),
    _time("updated_at"),
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

# The keys that sign page tokens and the addresses of uploads, the same for all replicas. All of them verify; the newest
# one signs, but only from `signs_from` on, when all processes have read it.
signing_key = Table(
    "signing_key",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("secret", LargeBinary, nullable=False),
    Column("signs_from", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
