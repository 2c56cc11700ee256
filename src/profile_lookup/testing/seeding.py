"""Writes a seed by the functions that serve the API, so that it can hold nothing that the API would refuse."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.blocked_values import queries as blocked_values
from profile_lookup.clock import CLOCK
from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import metadata, operation
from profile_lookup.database.tables import store as store_table
from profile_lookup.errors import ProfileLookupError, RequestRefused, Unavailable
from profile_lookup.identity.blocked_values import PLACEHOLDERS_ALONE
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity_settings import queries as identity_settings
from profile_lookup.ingest.attempts import Attempt, Outcome, time_after
from profile_lookup.ingest.identity_locks import Write, write_in_transaction
from profile_lookup.ingest.ingest import change_of, ingest_together
from profile_lookup.stores import queries as stores
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.testing.revisions import make_revisions_new
from profile_lookup.testing.wire import MergeSeed, ProfileSeed, Seed, StoreSeed
from profile_lookup.trait_groups import changes as trait_groups

MAX_STORES = 1_000_000  # a server for tests has no limit of stores
PROFILES_PER_TRANSACTION = 200

_ACTOR = Actor("command", "seed")


class SeededStore(NamedTuple):
    """The IDs of a store and of the seed's profiles in it, in the order of the seed."""

    id: UUID
    profile_ids: Sequence[UUID]


class _Entry(NamedTuple):
    """A profile or a merge of a seed, and its place in it. `id`: the one that the new profile is to have."""

    place: str
    id: UUID
    traits: Mapping[str, Mapping[str, Any]]


async def seed_stores(database: Database, account_id: UUID, seed: Seed) -> list[SeededStore]:
    """Write all stores of the seed, and return their IDs.

    Raises `RequestRefused`, which says at which place of the seed what was expected, and `Unavailable`; then none of
    the stores is there.
    """
    created: list[UUID] = []
    try:
        return [
            await _seed_store(database, account_id, store, f"stores.{position}", created)
            for position, store in enumerate(seed.stores)
        ]
    except ProfileLookupError:
        await _erase(database, created)
        raise


async def _seed_store(
    database: Database, account_id: UUID, seed: StoreSeed, place: str, created: list[UUID]
) -> SeededStore:
    async with database.transaction() as connection:
        store = await _create_store(connection, account_id, seed, place)
    created.append(store.id)
    profiles = [_entry(f"{place}.profiles.{position}", each) for position, each in enumerate(seed.profiles)]
    merges = [_entry(f"{place}.merges.{position}", each) for position, each in enumerate(seed.merges)]
    profile_ids = await _write(database, store, profiles, "created")
    await _write(database, store, merges, "merged")
    return SeededStore(store.id, profile_ids)


async def _create_store(connection: AsyncConnection, account_id: UUID, seed: StoreSeed, place: str) -> StoreRules:
    store_id = seed.id or new_id()
    with _refusals_at(f"{place}.id"):
        await _refuse_known(connection, store_id)
    with _refusals_at(place):
        await stores.create(
            connection,
            account_id,
            display_name=seed.display_name,
            description=seed.description,
            max_stores=MAX_STORES,
            store_id=store_id,
        )
    await make_revisions_new(connection)
    store = await rules_in_force(connection, account_id, store_id)
    if seed.identity_resolution_settings is not None:
        with _refusals_at(f"{place}.identityResolutionSettings"):
            await identity_settings.replace(connection, store, seed.identity_resolution_settings.to_domain())
        store = await rules_in_force(connection, account_id, store_id)
    blocked = PLACEHOLDERS_ALONE
    if seed.blocked_values is not None:
        with _refusals_at(f"{place}.blockedValues"):
            blocked = seed.blocked_values.to_domain(store.settings)
    await blocked_values.replace(connection, store, blocked)
    for position, body in enumerate(seed.trait_groups):
        with _refusals_at(f"{place}.traitGroups.{position}"):
            group = body.to_domain()
            if group.name in store.trait_groups:
                await trait_groups.amend(connection, store, group.name, group.traits, body.description, None, _ACTOR)
            else:
                await trait_groups.create(connection, store, group, body.description, _ACTOR)
    return await rules_in_force(connection, account_id, store_id)


async def _refuse_known(connection: AsyncConnection, store_id: UUID) -> None:
    """Raise `RequestRefused` if there is a store with this ID, or one whose data is still being erased."""
    unfinished = exists().where(operation.c.store_id == store_id, operation.c.completed_at.is_(None))
    if await connection.scalar(select(or_(exists().where(store_table.c.id == store_id), unfinished))):
        raise RequestRefused("expected the ID of no store that exists or is being erased")


def _entry(place: str, seed: ProfileSeed | MergeSeed) -> _Entry:
    fixed = seed.id if isinstance(seed, ProfileSeed) else None
    return _Entry(place, fixed or new_id(), seed.traits)


async def _write(
    database: Database, store: StoreRules, entries: Sequence[_Entry], expected: Literal["created", "merged"]
) -> list[UUID]:
    """Write the entries in their order, and return their profiles.

    Raises `RequestRefused` if an entry is refused, or does something else than expected.
    """
    profile_ids: list[UUID] = []
    while batch := entries[len(profile_ids) : len(profile_ids) + PROFILES_PER_TRANSACTION]:
        outcomes = await write_in_transaction(database, store, partial(_prepare, batch))
        for entry, outcome in zip(batch, outcomes, strict=False):
            with _refusals_at(entry.place):
                profile_ids.append(_profile_of(outcome, expected))
    return profile_ids


def _prepare(entries: Sequence[_Entry], store: StoreRules) -> Write[list[Outcome]]:
    async def write(connection: AsyncConnection) -> list[Outcome]:
        given = iter([entry.id for entry in entries])
        # A merge takes one of the IDs, too; but then the seed is refused, since it expected a new profile.
        return await ingest_together(
            connection, store, _attempts(entries, store), new_profile_id=lambda: next(given, None) or new_id()
        )

    return write


def _attempts(entries: Sequence[_Entry], store: StoreRules) -> Iterator[Attempt]:
    time = CLOCK.now()
    for entry in entries:
        attempt = Attempt(_change_or_refusal(entry, store), time, _ACTOR)
        yield attempt
        time = time_after(attempt)


def _change_or_refusal(entry: _Entry, store: StoreRules) -> Change | ProfileLookupError:
    try:
        return change_of(store, entry.traits)
    except ProfileLookupError as refusal:
        return refusal


def _profile_of(outcome: Outcome, expected: Literal["created", "merged"]) -> UUID:
    if isinstance(outcome, ProfileLookupError):
        raise outcome
    if outcome.how != expected:
        raise RequestRefused(_EXPECTATIONS[expected])
    return outcome.profile_id


_EXPECTATIONS = {
    "created": "traits: expected identifiers that no profile before has; a merge belongs below merges",
    "merged": "traits: expected identifiers of at least two of the profiles",
}


@contextmanager
def _refusals_at(place: str) -> Iterator[None]:
    """Name the place in the seed of what was refused."""
    try:
        yield
    except Unavailable:
        raise
    except ProfileLookupError as refusal:
        raise RequestRefused(f"{place}: {refusal}") from None


async def _erase(database: Database, store_ids: Sequence[UUID]) -> None:
    """Delete all rows of these stores."""
    async with database.transaction() as connection:
        for table in reversed(metadata.sorted_tables):
            if "store_id" in table.c:
                await connection.execute(delete(table).where(table.c.store_id.in_(store_ids)))
        await connection.execute(delete(store_table).where(store_table.c.id.in_(store_ids)))
