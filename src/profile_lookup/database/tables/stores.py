"""Stores and their trait groups."""

import json

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKeyConstraint, Table, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from profile_lookup.database.tables.columns import metadata, time_column
from profile_lookup.identity.values.normalization_version import UNVERSIONED

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
    time_column("created_at"),
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
    time_column("created_at"),
    ForeignKeyConstraint(["store_id"], ["store.id"]),
)
