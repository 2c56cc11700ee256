"""Profiles and identifiers in SQL: the questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.documents import trait_group_of
from profile_lookup.database.tables import trait_group
from profile_lookup.identity.identifier import NormalizedIdentifier, NormalizedValue
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.traits import TraitGroup

MAX_PROFILES = 100
"""The most profiles that a Lookup answers."""


@dataclass(frozen=True, slots=True)
class Found:
    settings_version: int
    profile_ids: list[UUID]


async def canonical_profile_ids(
    connection: AsyncConnection, credentials: Credentials, store_id: UUID, identifier: NormalizedIdentifier
) -> Found | None:
    """Who has this identifier, earliest first, and under which settings; None if the caller may not ask."""
    parameters = {
        "sid": credentials.sid,
        "secret_sha256": credentials.secret_sha256,
        "store_id": store_id,
        "id_type": identifier.id_type,
        "value": identifier.value,
        "max_profiles": MAX_PROFILES,
    }
    row = (await connection.execute(_CANONICAL_PROFILE_IDS, parameters)).one_or_none()
    return None if row is None else Found(row.settings_version, row.profile_ids)


_CANONICAL_PROFILE_IDS = text("""
    select
        store.settings_version,
        array(
            select identifier.profile_id
            from identifier
            where identifier.store_id = store.id
                and identifier.id_type = :id_type
                and identifier.value = :value
            order by identifier.profile_id
            limit :max_profiles
        ) as profile_ids
    from credential
    join store on store.account_id = credential.account_id
    where credential.sid = :sid
        and credential.secret_sha256 = :secret_sha256
        and store.id = :store_id
        and store.status = 'ACTIVE'
""")


async def trait_groups(connection: AsyncConnection, store_id: UUID) -> dict[str, TraitGroup]:
    question = select(trait_group.c.name, trait_group.c.traits).where(trait_group.c.store_id == store_id)
    return {row.name: trait_group_of(row.name, row.traits) for row in await connection.execute(question)}


async def lock_and_gather(
    connection: AsyncConnection, store_id: UUID, identifiers: Sequence[NormalizedIdentifier]
) -> list[Profile] | None:
    """The profiles that hold any of the identifiers, locked until the transaction ends, whole and unmoving.

    None when one of them slipped away while we waited: release the locks and ask again.
    """
    parameters = {
        "store_id": store_id,
        "keys": sorted({_lock_key(store_id, identifier) for identifier in identifiers}),
        "id_types": [identifier.id_type for identifier in identifiers],
        "values": [identifier.value for identifier in identifiers],
    }
    rows = (await connection.execute(_LOCK_AND_GATHER, parameters)).all()
    return [_profile(row) for row in rows] if all(row.is_locked for row in rows) else None


_LOCK_AND_GATHER = text("select * from lock_and_gather(:store_id, :keys, :id_types, :values)")


def _lock_key(store_id: UUID, identifier: NormalizedIdentifier) -> int:
    """A signed 64-bit key that stands for the identifier, whether or not it is stored.

    Two identifiers with the same key only wait for each other.
    """
    name = f"{identifier.id_type}\0{identifier.value}".encode()
    return int.from_bytes(blake2b(store_id.bytes + name, digest_size=8).digest(), signed=True)


def _profile(row: Row[Any]) -> Profile:
    identifiers = zip(row.identifier_types or (), row.identifier_values or (), row.identifier_times or (), strict=True)
    traits = zip(
        row.trait_groups or (),
        row.trait_names or (),
        row.trait_values or (),
        row.trait_times or (),
        strict=True,
    )
    return Profile(
        id=row.profile_id,
        identifiers={
            NormalizedIdentifier(id_type, NormalizedValue(value)): added_at for id_type, value, added_at in identifiers
        },
        traits={TraitName(group, name): Trait(value, written_at) for group, name, value, written_at in traits},
    )
