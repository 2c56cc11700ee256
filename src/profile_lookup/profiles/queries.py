"""Queries for profiles, identifiers and traits."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    Select,
    Text,
    cast,
    column,
    extract,
    func,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import LateralFromClause

from profile_lookup.database.keyset import Key
from profile_lookup.database.microseconds import Microseconds
from profile_lookup.database.tables import identifier, profile, trait_group
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.ingest.aliases import moved_or_not_found
from profile_lookup.stores.rules_cache import StoreRules


def _entries(document: ColumnElement[Any], name: str) -> LateralFromClause:
    return func.jsonb_each(document).table_valued(column("key", Text), column("value", JSONB)).lateral(name)


_groups = _entries(profile.c.traits, "described")
_traits = _entries(_groups.c.value, "written")
_created_at = cast(extract("epoch", profile.c.created_at) * 1_000_000, BigInteger)
trait = (
    select(
        profile.c.store_id,
        profile.c.id.label("profile_id"),
        _groups.c.key.label("group_name"),
        _traits.c.key.label("name"),
        _traits.c.value[0].label("value"),
        type_coerce(func.coalesce(cast(_traits.c.value[1], BigInteger), _created_at), Microseconds).label("written_at"),
    )
    .select_from(profile)
    .join(_groups, true())
    .join(_traits, true())
    .subquery("trait")
)
"""The traits in the documents of profiles, each in a row."""

PROFILES_KEY = Key((profile.c.id,))
TRAITS_KEY = Key((trait.c.written_at, trait.c.group_name, trait.c.name))
NAMES = (trait.c.group_name, trait.c.name)
"""The order of a profile's traits in its own answer; that of a JSONB document is by length."""


async def is_stored(connection: AsyncConnection, store: StoreRules, identifier_: NormalizedIdentifier) -> bool:
    query = select(identifier.c.profile_id).where(
        identifier.c.store_id == store.id,
        identifier.c.id_type == identifier_.id_type,
        identifier.c.value == identifier_.value,
    )
    return (await connection.execute(query.limit(1))).first() is not None


def profiles_of(store: StoreRules) -> Select[Any]:
    """Return the query for the IDs of a store's profiles, which is to be fetched page by page."""
    return select(profile.c.id).where(profile.c.store_id == store.id)


async def fetch_profile(connection: AsyncConnection, store: StoreRules, profile_id: UUID) -> Row[Any, Any]:
    """Return a profile's row without its traits. Raises `ProfileMoved` or `ProfileNotFound`."""
    query = select(profile.c.id, profile.c.created_at).where(profile.c.store_id == store.id, profile.c.id == profile_id)
    found = (await connection.execute(query)).one_or_none()
    if found is None:
        raise await moved_or_not_found(connection, store, profile_id)
    return found


def identifiers_of(store: StoreRules, profile_id: UUID) -> Select[Any]:
    """Return the query for a profile's identifiers, in chronological order."""
    return (
        select(identifier.c.id_type, identifier.c.value)
        .where(identifier.c.store_id.is_not_distinct_from(store.id), identifier.c.profile_id == profile_id)
        .order_by(identifier.c.added_at, identifier.c.value)
    )


def traits_of(store: StoreRules, profile_id: UUID, groups: list[str] | None) -> Select[Any]:
    """Return the query for a profile's traits in these groups, or in all groups if `groups` is None, in no order.

    It returns only traits that are defined, because a worker is about to erase the others.
    """
    defined = select(trait_group.c.name).where(
        trait_group.c.store_id == trait.c.store_id,
        trait_group.c.name == trait.c.group_name,
        trait_group.c.traits.has_key(trait.c.name),
    )
    query = select(trait).where(trait.c.store_id == store.id, trait.c.profile_id == profile_id, defined.exists())
    return query if groups is None else query.where(trait.c.group_name.in_(groups))
