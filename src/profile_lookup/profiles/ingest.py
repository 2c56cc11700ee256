"""The only path by which identifiers come to profiles: gather candidates, resolve, apply, in one transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.engine import Database
from profile_lookup.database.ids import new_id
from profile_lookup.errors import NothingToReplace, TraitsRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.merging import combined
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.resolution import Create, Merge, Update, profiles_of, resolve
from profile_lookup.profiles import writes
from profile_lookup.profiles.gathering import Write, in_transaction, lock_and_gather
from profile_lookup.stores.admission import Store

MAX_IDENTIFIERS = 1500
"""In one request: 15 types of 100 values. Each is an advisory lock, and PostgreSQL's table of locks is shared."""


async def ingest(
    database: Database,
    store: Store,
    read: Callable[[Store], Change],
    requested_at: datetime,
    known: UUID | None = None,
) -> UUID:
    """Write what a request says of one person, who may be known, and give the canonical profile that they are.

    `read` reads the request by the store's rules; if these change meanwhile, it is read again. Everything the request
    writes has its time, `requested_at`, however long it waits for others.

    Raises what `read` does; `TraitsRefused` when nothing identifies anybody; `IdentifierConflict` when it names two
    people who may not be merged; `NothingToReplace`; `ProfileMoved` or `ProfileNotFound` of the known one;
    `StoreNotFound`; `Unavailable`. In each case nothing is written.
    """

    def prepare(store: Store) -> Write[UUID]:
        change = read(store)
        if len(change.incoming) > MAX_IDENTIFIERS or (known is None and not change.incoming):
            raise TraitsRefused(f"traits: expected 1-{MAX_IDENTIFIERS} values that are promoted to identifiers")

        async def write(connection: AsyncConnection) -> UUID:
            candidates = await lock_and_gather(connection, store, change.incoming, known)
            _refuse_without_replaced(candidates, change, known)
            return await _apply(connection, store, candidates, change, requested_at, known)

        return write

    return await in_transaction(database, store, prepare)


def _refuse_without_replaced(candidates: Sequence[Profile], change: Change, known: UUID | None) -> None:
    if change.replaced is not None:
        (profile,) = [profile for profile in candidates if profile.id == known]
        if change.replaced not in profile.identifiers:
            raise NothingToReplace


async def _apply(
    connection: AsyncConnection,
    store: Store,
    candidates: Sequence[Profile],
    change: Change,
    requested_at: datetime,
    known: UUID | None,
) -> UUID:
    resolution = resolve(store.settings, change.incoming, candidates, known)
    identifiers, traits = combined(store.settings, profiles_of(resolution), change, requested_at)
    match resolution:
        case Create():
            profile_id = new_id()
            changes = writes.Changes(identifiers, traits)
            await writes.create_profile(connection, store.settings, store.id, profile_id, changes, requested_at)
            return profile_id
        case Update(profile):
            changes = writes.Changes.between(profile, identifiers, traits)
            await writes.update_profile(connection, store.settings, store.id, profile.id, changes)
            return profile.id
        case Merge(canonical):
            changes = writes.Changes.between(canonical, identifiers, traits)
            await writes.merge_profiles(
                connection, store.settings, store.id, resolution, changes, merge_id=new_id(), merged_at=requested_at
            )
            return canonical.id
