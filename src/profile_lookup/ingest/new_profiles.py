"""Writes the profiles of newcomers, hundreds at once, by COPY, and makes the rows that COPY writes.

COPY costs Python half of what arrays cost, since the driver checks of each element of an array whether it is an array
itself. It takes some round trips more than one statement, for which few profiles would not make up.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.citus.statements import in_store
from profile_lookup.database.copying import copy_rows
from profile_lookup.database.documents import actor_text, json_text, serialized_new_traits
from profile_lookup.database.driver import is_distributed
from profile_lookup.database.fuzzy_key import fuzzy_key
from profile_lookup.database.shared_by import shared_by
from profile_lookup.identity.difference import MANY_IDENTIFIERS
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.newcomers import NewProfile
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.ingest.large_profiles import count_identifiers

Row = tuple[object, ...]

PROFILE_COLUMNS = ("store_id", "id", "created_at", "traits", "created_by")
"""`traits` is the text of the document that `documents.serialized_traits` returns. The database draws the number of the
creation."""

IDENTIFIER_COLUMNS = ("store_id", "id_type", "value", "profile_id", "shared_by", "fuzzy_key", "added_at", "names")


class Holder(NamedTuple):
    """A new profile, and its identifiers with the time when each was added."""

    profile_id: UUID
    identifiers: Mapping[NormalizedIdentifier, datetime]


async def copy_new_profiles(
    connection: AsyncConnection, settings: IdentityResolutionSettings, store_id: UUID, profiles: Sequence[NewProfile]
) -> None:
    """Write profiles that are not stored yet. The transaction has begun and holds the locks of `lock_and_gather`."""
    rows = [
        (
            store_id,
            profile.id,
            profile.created_at,
            json_text(serialized_new_traits(profile.traits)),
            actor_text(profile.actor),
        )
        for profile in profiles
    ]
    await _copy_profiles(connection, store_id, rows)
    holders = (Holder(profile.id, profile.identifiers) for profile in profiles)
    await copy_rows(connection, "identifier", IDENTIFIER_COLUMNS, identifier_rows(settings, store_id, holders))
    large = [profile.id for profile in profiles if len(profile.identifiers) >= MANY_IDENTIFIERS]
    await count_identifiers(connection, store_id, large)


async def _copy_profiles(connection: AsyncConnection, store_id: UUID, rows: Sequence[Row]) -> None:
    if not await is_distributed(connection):
        await copy_rows(connection, "profile", PROFILE_COLUMNS, rows)
        return
    # The numbers of a store's events must ascend, and each node draws others.
    numbers = await connection.execute(_DRAW_NUMBERS, {"store_id": store_id, "count": len(rows)})
    numbered = [(*row, number) for row, number in zip(rows, numbers.scalars(), strict=True)]
    await copy_rows(connection, "profile", (*PROFILE_COLUMNS, "creation_number"), numbered)


_DRAW_NUMBERS = in_store(
    "draw_event_numbers",
    """
    select nextval('event_number') as number from generate_series(1, cast(:count as integer))
    where cast(:store_id as uuid) is not null
    """,
)


def identifier_rows(settings: IdentityResolutionSettings, store_id: UUID, holders: Iterable[Holder]) -> Iterator[Row]:
    """Yield a row for each identifier. A value that a new profile holds has no counted names yet."""
    fuzzy_keys = {id_type: fuzzy_key(settings, store_id, id_type) for id_type in settings.id_types}
    for profile_id, identifiers in holders:
        for (id_type, value), added_at in identifiers.items():
            mark = shared_by(settings, id_type, profile_id)
            yield store_id, id_type, value, profile_id, mark, fuzzy_keys[id_type], added_at, None
