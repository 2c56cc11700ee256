"""Writes the profile of a request by loops over `session.get` and `session.add`, with the guarantees of the product.

It takes locks in the order of the product (docs/decisions/0003-resolution-under-races.md): store, identifiers,
profiles, and then it reads the candidates a second time. So concurrent requests leave the same data as some serial
order of them. Rows are read and written one at a time. To its advantage, it leaves out the limits of values per type,
the validation of traits, concurrent changes of the settings, and the history that a merge stores.
"""

import asyncio
import random
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from benchmarks.peers.naive.models import Alias, Identifier, Merge, Profile, Store, Trait
from benchmarks.peers.naive.normalization import normalize

MAX_ATTEMPTS = 50
PROMOTED = ("email", "phone", "whatsapp", "chat")

Traits = dict[str, dict[str, Any]]


class Wanted(NamedTuple):
    id_type: str
    value: str


class Moved(Exception):
    """A merge moved an identifier while this request waited for its profile."""


async def write_profile(session: AsyncSession, store: Store, traits: Traits) -> UUID:
    """Write the profile, and return its ID. Raises `ValueError` for a value that cannot be stored."""
    requested_at = datetime.now(UTC)
    configs = {config["id_type"]: config for config in store.settings["identifier_configs"]}
    unique = {id_type for id_type, config in configs.items() if config["enforce_unique"]}
    contact = traits.get("Contact", {})
    identifiers = sorted(
        Wanted(id_type, normalize(configs[id_type]["normalization"], contact[id_type]))
        for id_type in PROMOTED
        if id_type in contact
    )
    if not identifiers:
        raise ValueError("expected an identifier")
    store_id = store.id
    await session.commit()  # ends the transaction that read the credentials and the store
    for attempt in range(MAX_ATTEMPTS):
        try:
            async with session.begin():
                return await _write(session, store_id, unique, identifiers, traits, requested_at)
        except Moved:
            await asyncio.sleep(random.uniform(0, 0.001 * 2 ** min(attempt, 6)))  # noqa: S311 -- jitter
    raise ValueError("too much is going on")


async def _write(
    session: AsyncSession,
    store_id: UUID,
    unique: Collection[str],
    identifiers: list[Wanted],
    traits: Traits,
    requested_at: datetime,
) -> UUID:
    await session.execute(select(func.pg_advisory_xact_lock_shared(func.hashtextextended(str(store_id), 0))))
    for key in sorted(f"{store_id} {wanted.id_type} {wanted.value}" for wanted in identifiers):
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    locked = set()
    for profile_id in sorted(await _holders(session, store_id, identifiers)):
        if await session.get(Profile, (store_id, profile_id), with_for_update=True) is not None:
            locked.add(profile_id)
    holders = await _holders(session, store_id, identifiers)
    if not holders.keys() <= locked:
        raise Moved

    canonical_id = await _canonical(session, store_id, holders, _same_person(holders, unique), requested_at)
    for id_type, value in identifiers:
        if await session.get(Identifier, (store_id, id_type, value, canonical_id)) is None:
            session.add(
                Identifier(
                    store_id=store_id, id_type=id_type, value=value, profile_id=canonical_id,
                    is_unique=id_type in unique, added_at=requested_at,
                )
            )  # fmt: skip
            await session.flush()
    for group_name, group in traits.items():
        for name, value in group.items():
            trait = await session.get(Trait, (store_id, canonical_id, group_name, name))
            if trait is None:
                trait = Trait(store_id=store_id, profile_id=canonical_id, group_name=group_name, name=name)
                session.add(trait)
            trait.value, trait.written_at = value, requested_at
            await session.flush()
    return canonical_id


async def _canonical(
    session: AsyncSession,
    store_id: UUID,
    holders: dict[UUID, set[Wanted]],
    people: list[UUID],
    requested_at: datetime,
) -> UUID:
    """Return the profile of the request: a new one, a known one, or the result of a merge."""
    if not people:
        canonical_id = uuid7()
        session.add(Profile(store_id=store_id, id=canonical_id, created_at=requested_at))
        await session.flush()
        return canonical_id
    canonical_id, *absorbed_ids = people
    for absorbed_id in absorbed_ids:
        await _absorb(session, store_id, canonical_id, absorbed_id)
    if absorbed_ids:
        rule = min(wanted.id_type for profile_id in people for wanted in holders[profile_id])
        session.add(
            Merge(
                store_id=store_id, id=uuid7(), canonical_id=canonical_id, absorbed_ids=absorbed_ids, rule=rule,
                moved=[], merged_at=requested_at,
            )
        )  # fmt: skip
        await session.flush()
    return canonical_id


async def _holders(session: AsyncSession, store_id: UUID, identifiers: list[Wanted]) -> dict[UUID, set[Wanted]]:
    holders: dict[UUID, set[Wanted]] = {}
    for wanted in identifiers:
        found = await session.scalars(
            select(Identifier.profile_id).where(
                Identifier.store_id == store_id,
                Identifier.id_type == wanted.id_type,
                Identifier.value == wanted.value,
            )
        )
        for profile_id in found:
            holders.setdefault(profile_id, set()).add(wanted)
    return holders


def _same_person(holders: dict[UUID, set[Wanted]], unique: Collection[str]) -> list[UUID]:
    """Return the profiles with a strong match, the earliest first, or else the only profile with a weak match."""
    strong = [
        profile_id
        for profile_id, shared in sorted(holders.items())
        if len(shared) > 1 or any(wanted.id_type in unique for wanted in shared)
    ]
    return strong or (list(holders) if len(holders) == 1 else [])


async def _absorb(session: AsyncSession, store_id: UUID, canonical_id: UUID, absorbed_id: UUID) -> None:
    of_absorbed = select(Identifier).where(Identifier.store_id == store_id, Identifier.profile_id == absorbed_id)
    for identifier in (await session.scalars(of_absorbed)).all():
        kept = await session.get(Identifier, (store_id, identifier.id_type, identifier.value, canonical_id))
        if kept is None:
            identifier.profile_id = canonical_id
        else:
            kept.added_at = min(kept.added_at, identifier.added_at)
            await session.delete(identifier)
        await session.flush()
    traits = select(Trait).where(Trait.store_id == store_id, Trait.profile_id == absorbed_id)
    for trait in (await session.scalars(traits)).all():
        known = await session.get(Trait, (store_id, canonical_id, trait.group_name, trait.name))
        if known is None:
            trait.profile_id = canonical_id
        else:
            if known.written_at < trait.written_at:
                known.value, known.written_at = trait.value, trait.written_at
            await session.delete(trait)
        await session.flush()
    aliases = select(Alias).where(Alias.store_id == store_id, Alias.profile_id == absorbed_id)
    for alias in (await session.scalars(aliases)).all():
        alias.profile_id = canonical_id
        await session.flush()
    session.add(Alias(store_id=store_id, id=absorbed_id, profile_id=canonical_id))
    absorbed = await session.get(Profile, (store_id, absorbed_id))
    await session.delete(absorbed)
    await session.flush()
