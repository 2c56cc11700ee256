"""Stores as an earlier normalization version left them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.ids import new_id
from profile_lookup.identity.values.normalization_version import UNVERSIONED, NormalizationVersion
from profile_lookup.web import ids


async def insert_profile(
    connection: AsyncConnection, store_id: str, identifiers: Mapping[str, str], *, is_unique: bool = True
) -> str:
    """Store a profile with these values by type, as they are, and return its wire ID."""
    profile_id, now = new_id(), datetime.now(UTC)
    profile = {"store": ids.decoded(store_id), "profile": profile_id, "now": now}
    await connection.execute(
        text("insert into profile (store_id, id, created_at) values (:store, :profile, :now)"), profile
    )
    for id_type, value in identifiers.items():
        await connection.execute(
            text("""
                insert into identifier (store_id, id_type, value, profile_id, is_unique, added_at)
                values (:store, :type, :value, :profile, :is_unique, :now)
            """),
            {**profile, "type": id_type, "value": value, "is_unique": is_unique},
        )
    return ids.profile_id(profile_id)


async def set_version(connection: AsyncConnection, version: NormalizationVersion = UNVERSIONED) -> None:
    """Say of all stores that this version made their values."""
    await connection.execute(
        text("update store set normalization = cast(:version as jsonb), revision = revision + 1"),
        {"version": json.dumps(version.to_document())},
    )


async def renormalized_by(connection: AsyncConnection, version: NormalizationVersion | None) -> None:
    """Say of all stores that this version normalizes their values anew."""
    await connection.execute(
        text("update store set renormalized_by = cast(:version as jsonb), revision = revision + 1"),
        {"version": None if version is None else json.dumps(version.to_document())},
    )
