"""Writes the profiles of newcomers, hundreds at once, by COPY.

COPY costs Python half of what arrays cost, since the driver checks of each element of an array whether it is an array
itself. It takes some round trips more than one statement, for which few profiles would not make up.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.copying import copy_rows
from profile_lookup.database.documents import actor_text, json_text, serialized_new_traits
from profile_lookup.identity.difference import MANY_IDENTIFIERS
from profile_lookup.identity.newcomers import NewProfile
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.ingest.large_profiles import count_identifiers
from profile_lookup.ingest.profile_rows import IDENTIFIER_COLUMNS, PROFILE_COLUMNS, Holder, identifier_rows


async def copy_new_profiles(
    connection: AsyncConnection, settings: IdentityResolutionSettings, store_id: UUID, profiles: Sequence[NewProfile]
) -> None:
    """Write profiles that are not stored yet. The transaction has begun and holds the locks of `lock_and_gather`."""
    rows = (
        (
            store_id,
            profile.id,
            profile.created_at,
            json_text(serialized_new_traits(profile.traits)),
            actor_text(profile.actor),
        )
        for profile in profiles
    )
    await copy_rows(connection, "profile", PROFILE_COLUMNS, rows)
    holders = (Holder(profile.id, profile.identifiers) for profile in profiles)
    await copy_rows(connection, "identifier", IDENTIFIER_COLUMNS, identifier_rows(settings, store_id, holders))
    large = [profile.id for profile in profiles if len(profile.identifiers) >= MANY_IDENTIFIERS]
    await count_identifiers(connection, store_id, large)
