"""Profiles and identifiers in SQL: the queries."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.keyset import Key
from profile_lookup.database.tables import identifier, profile, trait, trait_group
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.ingest.aliases import whereabouts
from profile_lookup.stores.rules_cache import Store

PROFILES_KEY = Key((profile.c.id,))
TRAITS_KEY = Key((trait.c.written_at, trait.c.group_name, trait.c.name))


async def is_stored(connection: AsyncConnection, store: Store, identifier_: NormalizedIdentifier) -> bool:
    query = select(identifier.c.profile_id).where(
        identifier.c.store_id == store.id,
        identifier.c.id_type == identifier_.id_type,
        identifier.c.value == identifier_.value,
    )
    return (await connection.execute(query.limit(1))).first() is not None


def profiles_of(store: Store) -> Select[Any]:
    """Return a query that is fetched page by page."""
    return select(profile.c.id).where(profile.c.store_id == store.id)


async def fetch_profile(connection: AsyncConnection, store: Store, profile_id: UUID) -> Row[Any]:
    """Raises `ProfileMoved` or `ProfileNotFound`."""
    query = select(profile).where(profile.c.store_id == store.id, profile.c.id == profile_id)
    found = (await connection.execute(query)).one_or_none()
    if found is None:
        raise await whereabouts(connection, store, profile_id)
    return found


def identifiers_of(store: Store, profile_id: UUID) -> Select[Any]:
    """Return a query of a profile's identifiers, in chronological order."""
    return (
        select(identifier.c.id_type, identifier.c.value)
        .where(identifier.c.store_id == store.id, identifier.c.profile_id == profile_id)
        .order_by(identifier.c.added_at, identifier.c.value)
    )


def traits_of(store: Store, profile_id: UUID, groups: list[str] | None) -> Select[Any]:
    """Return a query of a profile's traits in these groups, or in all.

    Only defined traits are in it: a worker is about to erase the others.
    """
    defined = select(trait_group.c.name).where(
        trait_group.c.store_id == trait.c.store_id,
        trait_group.c.name == trait.c.group_name,
        trait_group.c.traits.has_key(trait.c.name),
    )
    query = select(trait).where(trait.c.store_id == store.id, trait.c.profile_id == profile_id, defined.exists())
    return query if groups is None else query.where(trait.c.group_name.in_(groups))
