"""Writes the profiles of newcomers, hundreds at once, by COPY.

COPY costs Python half of what arrays cost, since the driver checks of each element of an array whether it is an array
itself. It takes some round trips more than one statement, for which few profiles would not make up.
"""

import json
from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.copying import copy_rows
from profile_lookup.database.documents import serialized_new_traits
from profile_lookup.database.fuzzy_key import fuzzy_key
from profile_lookup.identity.newcomers import NewProfile
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.ingest.profile_rows import IDENTIFIER_COLUMNS, PROFILE_COLUMNS

Row = tuple[object, ...]


async def copy_new_profiles(
    connection: AsyncConnection, settings: IdentityResolutionSettings, store_id: UUID, profiles: Sequence[NewProfile]
) -> None:
    """Write profiles that are not stored yet. The transaction has begun and holds the locks of `lock_and_gather`."""
    await copy_rows(connection, "profile", PROFILE_COLUMNS, _profile_rows(store_id, profiles))
    await copy_rows(connection, "identifier", IDENTIFIER_COLUMNS, _identifier_rows(settings, store_id, profiles))


def _profile_rows(store_id: UUID, profiles: Sequence[NewProfile]) -> Iterator[Row]:
    for profile in profiles:
        traits = json.dumps(serialized_new_traits(profile.traits))
        yield store_id, profile.id, profile.created_at, traits


def _identifier_rows(
    settings: IdentityResolutionSettings, store_id: UUID, profiles: Sequence[NewProfile]
) -> Iterator[Row]:
    fuzzy_keys = {id_type: fuzzy_key(settings, store_id, id_type) for id_type in settings.id_types}
    for profile in profiles:
        for (id_type, value), added_at in profile.identifiers.items():
            shared_by = b"" if id_type in settings.unique_types else profile.id.bytes
            yield store_id, id_type, value, profile.id, shared_by, fuzzy_keys[id_type], added_at, None
