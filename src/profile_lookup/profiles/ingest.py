"""The only write path of identity: gather candidates, resolve, apply, in one transaction.

The locks, and what goes wrong without each, are in docs/decisions/0003-resolution-under-races.md.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.engine import Database
from profile_lookup.database.ids import new_id
from profile_lookup.errors import TraitsRefused, Unavailable
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.merging import combined
from profile_lookup.identity.profile import Profile, TraitName, TraitValue
from profile_lookup.identity.resolution import Create, Merge, Update, profiles_of, resolve
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.profiles import queries, writes

MAX_IDENTIFIERS = 1500
"""In one request: 15 types of 100 values. Each is an advisory lock, and PostgreSQL's table of locks is shared."""

MAX_ATTEMPTS = 50
"""A run starts over when a merge moved a candidate meanwhile; more than three in a row were never seen."""


async def ingest(
    database: Database,
    store_id: UUID,
    settings: IdentityResolutionSettings,
    incoming: Sequence[NormalizedIdentifier],
    traits: Mapping[TraitName, TraitValue],
    requested_at: datetime,
) -> UUID:
    """Write what a request says of one person, and give the canonical profile that they are.

    Everything the request writes has its time, `requested_at`, however long it waits for others.
    Raises `TraitsRefused` when nothing in the request identifies anybody, `IdentifierConflict` when it names two
    people who may not be merged, `Unavailable`; in each case nothing is written.
    """
    if not 1 <= len(incoming) <= MAX_IDENTIFIERS:
        raise TraitsRefused(f"traits: expected 1-{MAX_IDENTIFIERS} values that are promoted to identifiers")
    for attempt in range(MAX_ATTEMPTS):
        async with database.transaction() as connection:
            candidates = await queries.lock_and_gather(connection, store_id, incoming)
            if candidates is not None:
                return await _apply(connection, store_id, settings, candidates, incoming, traits, requested_at)
            await connection.rollback()
        if attempt:
            await asyncio.sleep(random.uniform(0, 0.001 * 2 ** min(attempt, 6)))  # noqa: S311 -- jitter
    raise Unavailable


async def _apply(
    connection: AsyncConnection,
    store_id: UUID,
    settings: IdentityResolutionSettings,
    candidates: Sequence[Profile],
    incoming: Sequence[NormalizedIdentifier],
    traits: Mapping[TraitName, TraitValue],
    requested_at: datetime,
) -> UUID:
    resolution = resolve(settings, incoming, candidates)
    identifiers, all_traits = combined(settings, profiles_of(resolution), incoming, traits, requested_at)
    match resolution:
        case Create():
            profile_id = new_id()
            changes = writes.Changes(identifiers, all_traits)
            await writes.create_profile(connection, settings, store_id, profile_id, changes, requested_at)
            return profile_id
        case Update(profile):
            changes = writes.Changes.between(profile, identifiers, all_traits)
            await writes.update_profile(connection, settings, store_id, profile.id, changes)
            return profile.id
        case Merge(canonical):
            changes = writes.Changes.between(canonical, identifiers, all_traits)
            await writes.merge_profiles(
                connection, settings, store_id, resolution, changes, merge_id=new_id(), merged_at=requested_at
            )
            return canonical.id
