"""Profiles, their other IDs, their identifiers, and the suspects among them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from profile_lookup.database.tables.columns import metadata, time_column

EVENT_NUMBERS = Sequence("event_number", metadata=metadata)

# No foreign key to `store`: every create would lock the store's row, and creates of a busy store would wait there.
profile = Table(
    "profile",
    metadata,
    Column("store_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    time_column("created_at"),
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
    time_column("added_at"),
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
