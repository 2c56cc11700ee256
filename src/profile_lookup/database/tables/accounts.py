"""Accounts, their credentials, the keys that sign tokens, and the codes that sign in to the console."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY

from profile_lookup.database.tables.columns import metadata, time_column

account = Table(
    "account",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("sid", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    time_column("created_at"),
    Column("is_enabled", Boolean, nullable=False, server_default="true"),
    # The row of a deleted account stays until its operations are gone.
    time_column("deleted_at", nullable=True),
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
    time_column("created_at"),
    # The key's own limit, instead of the settings': requests per second, and how many at once. Both are null, or none.
    Column("rate_per_second", Double),
    Column("rate_burst", Integer),
    # The only stores that the key is for; null: all stores of the account. The ID of a deleted store stays, so that
    # no deletion makes a key one for all stores.
    Column("store_ids", ARRAY(Uuid)),
    time_column("expires_at", nullable=True),
    time_column("last_used_at", nullable=True),
    # The secret before the last rotation, which is accepted until then.
    Column("former_sha256", LargeBinary),
    time_column("former_until", nullable=True),
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

# The keys that sign page tokens and the addresses of uploads, the same for all replicas. All of them verify; the newest
# one signs, but only from `signs_from` on, when all processes have read it.
signing_key = Table(
    "signing_key",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("secret", LargeBinary, nullable=False),
    Column("signs_from", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# One-time codes for the console. A row is deleted when its code is used.
sign_in_link = Table(
    "sign_in_link",
    metadata,
    Column("code_sha256", LargeBinary, primary_key=True),
    Column("sid", Text, nullable=False),
    time_column("expires_at"),
    ForeignKeyConstraint(["sid"], ["credential.sid"], ondelete="CASCADE"),
)

# Sessions of the console that were ended by signing out. A row is deleted when its session would have ended by itself.
ended_session = Table(
    "ended_session",
    metadata,
    Column("session_id", Text, primary_key=True),
    time_column("expires_at"),
)
