"""Writes the profiles of newcomers, hundreds at once, by COPY.

COPY costs Python half of what arrays cost, since the driver checks each element of an array for being one. It needs a
few round trips more, which few profiles would not make up for.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.connections import translating_errors
from profile_lookup.database.fuzzy_key import fuzzy_key
from profile_lookup.identity.newcomers import NewProfile
from profile_lookup.identity.rules import IdentityResolutionSettings


async def copy_new_profiles(
    connection: AsyncConnection, settings: IdentityResolutionSettings, store_id: UUID, profiles: Sequence[NewProfile]
) -> None:
    """Write the profiles, none of which is stored yet, with all their rows.

    The transaction has begun, and the locks of `lock_and_gather` are held.
    """
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, asyncpg.Connection)
    for table, columns, rows in (
        ("profile", _PROFILE, ((store_id, each.id, each.created_at) for each in profiles)),
        ("identifier", _IDENTIFIER, _identifier_rows(settings, store_id, profiles)),
        ("trait", _TRAIT, _trait_rows(store_id, profiles)),
    ):
        with translating_errors():
            await driver.copy_records_to_table(table, columns=columns, records=rows)


_PROFILE = ("store_id", "id", "created_at")
_IDENTIFIER = ("store_id", "profile_id", "added_at", "id_type", "value", "is_unique", "fuzzy_key")
_TRAIT = ("store_id", "profile_id", "group_name", "name", "value", "written_at")


def _identifier_rows(
    settings: IdentityResolutionSettings, store_id: UUID, profiles: Iterable[NewProfile]
) -> list[tuple[Any, ...]]:
    marks = {each: (settings.is_unique(each), fuzzy_key(settings, store_id, each)) for each in settings.id_types}
    return [
        (store_id, profile.id, added_at, id_type, value, *marks[id_type])
        for profile in profiles
        for (id_type, value), added_at in profile.identifiers.items()
    ]


def _trait_rows(store_id: UUID, profiles: Iterable[NewProfile]) -> list[tuple[Any, ...]]:
    return [
        (store_id, profile.id, *name, json.dumps(value), profile.created_at)
        for profile in profiles
        for name, value in profile.traits.items()
    ]
