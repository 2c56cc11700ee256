"""Removes identifiers or whole profiles. No identifier is added, so the lock of the profile's row is enough."""

from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.pool import Database
from profile_lookup.errors import NothingToRemove
from profile_lookup.identity.difference import Difference
from profile_lookup.identity.retention import first_to_go
from profile_lookup.ingest.identity_locks import lock_and_gather, write_in_transaction
from profile_lookup.ingest.writes import erase_profiles, write
from profile_lookup.stores.rules_cache import StoreRules


async def remove_identifiers(
    database: Database, store: StoreRules, profile_id: UUID, id_type: str, *, remove_all: bool
) -> None:
    """Remove all values of a type, or the one that the type's retention policy would delete first.

    Raises `NothingToRemove`, `ProfileMoved`, `ProfileNotFound`, `StoreNotFound` or `Unavailable`.
    """

    async def remove(store: StoreRules, connection: AsyncConnection) -> None:
        (profile,) = await lock_and_gather(connection, store, known=profile_id)
        held = {each: at for each, at in profile.identifiers.items() if each.id_type == id_type}
        if not held:
            raise NothingToRemove
        dropped = held.keys() if remove_all else {first_to_go(store.settings.config(id_type), held)}
        difference = Difference(deleted_identifiers=[(profile_id, each) for each in dropped])
        await write(connection, store.settings, store.id, difference)

    await write_in_transaction(database, store, lambda store: partial(remove, store))


async def erase_profile(database: Database, store: StoreRules, profile_id: UUID) -> None:
    """Erase a profile: afterwards no table holds anything of it, and none of its IDs names a profile.

    Raises `ProfileMoved`, `ProfileNotFound`, `StoreNotFound` or `Unavailable`.
    """

    async def erase(store: StoreRules, connection: AsyncConnection) -> None:
        await lock_and_gather(connection, store, known=profile_id)
        await erase_profiles(connection, store.id, [profile_id])

    await write_in_transaction(database, store, lambda store: partial(erase, store))
