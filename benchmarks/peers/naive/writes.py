"""Writes the profile of a request by loops over `session.get` and `session.add`, with the guarantees of the product.

It takes locks in the order of the product (docs/decisions/0003-resolution-under-races.md): store, identifiers,
profiles, and then it reads the candidates a second time. So concurrent requests leave the same data as some serial
order of them. Rows are read and written one at a time. To its advantage, it leaves out the limits of values per type,
the validation of traits and concurrent changes of the settings, and of events all that only an undo needs.
"""

import asyncio
import random
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from benchmarks.peers.naive.models import Alias, Event, Identifier, Profile, Store
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

    people = _same_person(holders, unique)
    for profile_id in people:
        await _record_creation(session, store_id, profile_id)
    canonical_id = await _canonical(session, store_id, people, requested_at)
    for id_type, value in identifiers:
        shared_by = b"" if id_type in unique else canonical_id.bytes
        if await session.get(Identifier, (store_id, id_type, value, shared_by)) is None:
            session.add(
                Identifier(
                    store_id=store_id, id_type=id_type, value=value, shared_by=shared_by, profile_id=canonical_id,
                    added_at=requested_at,
                )
            )  # fmt: skip
            await session.flush()
    profile = await session.get_one(Profile, (store_id, canonical_id))
    now = _microseconds(requested_at)
    written = {group: {name: [value, now] for name, value in values.items()} for group, values in traits.items()}
    profile.traits = _later(profile.traits, written)
    await session.flush()
    if people:
        kind = "merged" if len(people) > 1 else "updated"
        rule = min(wanted.id_type for profile_id in people for wanted in holders[profile_id])
        document = {"i": [[*wanted] for wanted in identifiers], "w": traits, "r": rule}
        session.add(_event(store_id, uuid7(), canonical_id, kind, requested_at, document))
        await session.flush()
    return canonical_id


async def _record_creation(session: AsyncSession, store_id: UUID, profile_id: UUID) -> None:
    """Record the creation of a profile to which nothing has happened since."""
    profile = await session.get_one(Profile, (store_id, profile_id))
    if profile.creation_number is not None:
        event = _event(store_id, profile_id, profile_id, "created", profile.created_at, {"i": [], "w": profile.traits})
        event.number, profile.creation_number = profile.creation_number, None
        session.add(event)
        await session.flush()


def _event(
    store_id: UUID, event_id: UUID, profile_id: UUID, kind: str, at: datetime, document: dict[str, Any]
) -> Event:
    return Event(store_id=store_id, id=event_id, profile_id=profile_id, kind=kind, happened_at=at, document=document)


async def _canonical(session: AsyncSession, store_id: UUID, people: list[UUID], requested_at: datetime) -> UUID:
    """Return the profile of the request: a new one, a known one, or the result of a merge."""
    if not people:
        canonical_id = uuid7()
        session.add(Profile(store_id=store_id, id=canonical_id, created_at=requested_at, traits={}))
        await session.flush()
        return canonical_id
    canonical_id, *absorbed_ids = people
    for absorbed_id in absorbed_ids:
        await _absorb(session, store_id, canonical_id, absorbed_id)
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
        shared_by = identifier.shared_by and canonical_id.bytes
        kept = await session.get(Identifier, (store_id, identifier.id_type, identifier.value, shared_by))
        if kept is None or kept is identifier:
            identifier.profile_id, identifier.shared_by = canonical_id, shared_by
        else:
            kept.added_at = min(kept.added_at, identifier.added_at)
            await session.delete(identifier)
        await session.flush()
    canonical = await session.get_one(Profile, (store_id, canonical_id))
    absorbed = await session.get_one(Profile, (store_id, absorbed_id))
    canonical.traits = _later(_with_times(canonical), _with_times(absorbed))
    await session.flush()
    aliases = select(Alias).where(Alias.store_id == store_id, Alias.profile_id == absorbed_id)
    for alias in (await session.scalars(aliases)).all():
        alias.profile_id = canonical_id
        await session.flush()
    session.add(Alias(store_id=store_id, id=absorbed_id, profile_id=canonical_id))
    await session.delete(absorbed)
    await session.flush()


def _with_times(profile: Profile) -> Traits:
    """Return the traits of a profile, each with its time: one that is as old as its profile is stored without."""
    created_at = _microseconds(profile.created_at)
    return {
        group: {name: [*entry, created_at][:2] for name, entry in entries.items()}
        for group, entries in profile.traits.items()
    }


def _later(traits: Traits, others: Traits) -> Traits:
    """Return all traits; of those that both have, the one that was written later."""
    later = {group: dict(entries) for group, entries in traits.items()}
    for group, entries in others.items():
        known = later.setdefault(group, {})
        for name, entry in entries.items():
            if name not in known or len(known[name]) == 1 or known[name][1] <= entry[1]:
                known[name] = entry
    return later


def _microseconds(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
