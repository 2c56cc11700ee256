"""Events, separations, and the feed of a store."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from profile_lookup.database.tables.columns import metadata, time_column
from profile_lookup.database.tables.profiles import EVENT_NUMBERS

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
    time_column("happened_at"),
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
    time_column("decided_at"),
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
