"""The locks under which profiles change, and the profiles as they are while the locks are held.

What goes wrong without each lock is in docs/decisions/0003-resolution-under-races.md.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from hashlib import blake2b
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import actor_of, parsed_traits, separations_of
from profile_lookup.database.pool import Database
from profile_lookup.errors import Unavailable
from profile_lookup.identity.history.creation import Creation
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import TraitGroup
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.ingest.aliases import moved_or_not_found
from profile_lookup.operations.job import Job
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.normalization import taken_back
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import store_key

MAX_ATTEMPTS = 50
"""A write starts over when a merge has moved a candidate meanwhile. We never saw more than three attempts in a row."""

T = TypeVar("T")


class RulesChanged(Exception):
    """The store's settings or trait groups have changed since the request was read by them."""


class CandidateMoved(Exception):
    """While we waited for locks, a merge moved an identifier to a profile that we have not locked."""


Write = Callable[[AsyncConnection], Awaitable[T]]


async def write_in_transaction(database: Database, store: StoreRules, prepare: Callable[[StoreRules], "Write[T]"]) -> T:
    """Write in a transaction, and start over until its locks cover all candidates.

    `prepare` reads the request by the store's rules and returns the function that writes in the transaction; if the
    rules change meanwhile, it is called again. Raises what it raises, `StoreNotFound` if the store was deleted
    meanwhile, and `Unavailable`; then nothing is written.
    """
    for attempt in range(MAX_ATTEMPTS):
        if store.is_normalized_by_newer:
            async with database.write_transaction() as connection:
                store = await taken_back(connection, store)
        write = prepare(store)
        try:
            async with database.write_transaction() as connection:
                return await write(connection)
        except RulesChanged:
            async with database.statements() as connection:
                store = await rules_in_force(connection, store.account_id, store.id)
        except CandidateMoved:
            await _back_off(attempt)
    raise Unavailable


async def write_in_step(
    job: Job,
    write: Callable[[AsyncConnection, StoreRules], Awaitable[T]],
    step: Callable[[], AbstractAsyncContextManager[AsyncConnection]] | None = None,
) -> T:
    """Write in a step of an operation, and start over until its locks cover all candidates.

    `write` gets the store with the rules that are then in force. `step` replaces `job.step`. Raises what `write`
    raises, `StoreNotFound` if the store was deleted meanwhile, and `Unavailable`; then nothing is written, and the step
    is still to be done.
    """
    for attempt in range(MAX_ATTEMPTS):
        try:
            async with (step or job.step)() as connection:
                rules = await rules_in_force(connection, job.account_id, job.store_id)
                return await write(connection, await taken_back(connection, rules))
        except (RulesChanged, CandidateMoved):
            await _back_off(attempt)
    raise Unavailable


async def _back_off(attempt: int) -> None:
    if attempt:
        await asyncio.sleep(random.uniform(0, 0.001 * 2 ** min(attempt, 6)))  # noqa: S311 -- jitter


async def lock_and_gather(
    connection: AsyncConnection,
    store: StoreRules,
    requests: Iterable[Iterable[NormalizedIdentifier]] = (),
    known: UUID | None = None,
    reserved: Iterable[NormalizedIdentifier] = (),
) -> list[Profile]:
    """Lock the profiles on which the decision about the requests can depend, and the known one, and return them.

    `requests` holds the identifiers of each request. Nobody else can add one of the `reserved` identifiers until we
    commit; who holds them is neither locked nor returned. All locks are held until then. Of the profiles that share a
    value, few are locked (docs/decisions/0024-weak-matches-are-two.md). Raises `RulesChanged` or `CandidateMoved`, upon
    which the caller must release the locks and start over, and `ProfileMoved` or `ProfileNotFound` if the known profile
    does not exist any more.
    """
    unique, shared = _identifying(store.settings, requests)
    locked = (*unique, *(identifier for _, identifier in shared), *reserved)
    parameters = {
        "store_id": store.id,
        "revision": store.revision,
        "store_key": store_key(store.id),
        "keys": _array_of_numbers(_lock_keys(store.id, locked)),
        "id_types": _array_of_types(identifier.id_type for identifier in unique),
        "values": [identifier.value for identifier in unique],
        "known": known,
        "shared_types": [identifier.id_type for _, identifier in shared],
        "shared_values": [identifier.value for _, identifier in shared],
        "shared_requests": [request for request, _ in shared],
    }
    rows = (await connection.execute(_LOCK_AND_GATHER, parameters)).all()
    if any(row.profile_id is None for row in rows):
        raise RulesChanged
    if not all(row.is_locked for row in rows):
        raise CandidateMoved
    profiles = [_locked_profile_of(row, store.trait_groups) for row in rows]
    if known is not None and known not in [profile.id for profile in profiles]:
        raise await moved_or_not_found(connection, store, known)
    return profiles


async def profiles_with(connection: AsyncConnection, store: StoreRules, profile_ids: Sequence[UUID]) -> list[Profile]:
    """Return the profiles with these IDs that exist. The caller holds the locks of their rows."""
    rows = await connection.execute(_PROFILES, {"store_id": store.id, "profile_ids": profile_ids})
    return [_locked_profile_of(row, store.trait_groups) for row in rows]


async def with_names(connection: AsyncConnection, store: StoreRules, profiles: Sequence[Profile]) -> list[Profile]:
    """Return locked profiles with the counted names of their identifiers."""
    parameters = {"store_id": store.id, "profile_ids": [profile.id for profile in profiles]}
    names: dict[UUID, dict[NormalizedIdentifier, tuple[int, ...]]] = {}
    for row in await connection.execute(_NAMES, parameters):
        identifier = NormalizedIdentifier(row.id_type, NormalizedValue(row.value))
        names.setdefault(row.profile_id, {})[identifier] = tuple(row.names)
    return [replace(profile, names=names.get(profile.id, {})) for profile in profiles]


_PROFILES = text("""
    select
        sought.id as profile_id, described.*, held.types as identifier_types, held.vals as identifier_values,
        held.times as identifier_times
    from unnest(cast(:profile_ids as uuid[])) as sought (id)
    cross join lateral (
        select
            p.traits, p.created_at, p.creation_number is not null as is_as_created, p.created_by,
            case when p.is_separated then separations_of(:store_id, p.id) end as separations
        from profile p where p.store_id = :store_id and p.id = sought.id
        offset 0
    ) described
    cross join lateral (
        select array_agg(i.id_type) as types, array_agg(i.value) as vals, array_agg(i.added_at) as times
        from identifier i where i.store_id is not distinct from :store_id and i.profile_id = sought.id
    ) held
""")

# The lateral subquery with its offset is one index probe per profile, whatever the planner believes of the tables.
_NAMES = text("""
    select known.*
    from unnest(cast(:profile_ids as uuid[])) as sought (profile_id)
    cross join lateral (
        select i.profile_id, i.id_type, i.value, i.names from identifier i
        where i.store_id is not distinct from :store_id and i.profile_id = sought.profile_id and i.names is not null
        offset 0
    ) known
""")

_LOCK_AND_GATHER = text("""
    select * from lock_and_gather(
        :store_id, :revision, :store_key,
        cast(cast(:keys as text) as bigint[]), cast(cast(:id_types as text) as text[]), :values,
        :known, :shared_types, :shared_values, :shared_requests
    )
""")


def _identifying(
    settings: IdentityResolutionSettings, requests: Iterable[Iterable[NormalizedIdentifier]]
) -> tuple[list[NormalizedIdentifier], list[tuple[int, NormalizedIdentifier]]]:
    """Return the identifiers of unique types, and those of other types in the rules, each with its request's number.

    Who holds the others has no bearing on the decision, and a whole store may hold the same value.
    """
    unique: dict[NormalizedIdentifier, None] = {}
    shared: dict[tuple[int, NormalizedIdentifier], None] = {}
    for number, incoming in enumerate(requests):
        for identifier in incoming:
            if identifier.id_type in settings.unique_types:
                unique[identifier] = None
            elif identifier.id_type in settings.identifying_types:
                shared[number, identifier] = None
    return list(unique), list(shared)


def _lock_keys(store_id: UUID, identifiers: Iterable[NormalizedIdentifier]) -> list[int]:
    """Return the signed 64-bit keys that stand for the identifiers, stored or not, each once and in their order.

    If two identifiers have the same key, this only makes them wait for each other.
    """
    of_store = blake2b(store_id.bytes, digest_size=8)
    keys = set()
    for id_type, value in identifiers:
        key = of_store.copy()
        key.update(f"{id_type}\0{value}".encode())
        keys.add(int.from_bytes(key.digest(), signed=True))
    return sorted(keys)


# The driver checks of each element of an array whether it is an array itself, which takes longer than to write it. So
# these arrays are sent as text, which the statement casts.


def _array_of_numbers(numbers: Iterable[int]) -> str:
    return f"{{{','.join(map(str, numbers))}}}"


def _array_of_types(id_types: Iterable[str]) -> str:
    """Return the text of an array of identifier types. They need no escapes, but quotes: a type may be called null."""
    quoted = '","'.join(id_types)
    return f'{{"{quoted}"}}' if quoted else "{}"


def _locked_profile_of(row: Row[Any], groups: Mapping[str, TraitGroup]) -> Profile:
    """Return the profile of a row, with what else a write must know of it."""
    profile = profile_of(row, groups)
    if not row.is_as_created and row.separations is None:
        return profile
    creation = Creation(row.created_at, actor_of(row.created_by)) if row.is_as_created else None
    return replace(profile, creation=creation, separations=separations_of(row.separations))


def profile_of(row: Row[Any], groups: Mapping[str, TraitGroup]) -> Profile:
    """Return the profile of a row, without traits that are no longer defined: these must not survive a merge."""
    identifiers = zip(row.identifier_types or (), row.identifier_values or (), row.identifier_times or (), strict=True)
    return Profile(
        id=row.profile_id,
        identifiers={
            NormalizedIdentifier(id_type, NormalizedValue(value)): added_at for id_type, value, added_at in identifiers
        },
        traits=defined_traits(groups, parsed_traits(row.traits, row.created_at)),
    )


def defined_traits(groups: Mapping[str, TraitGroup], traits: Mapping[TraitName, Trait]) -> dict[TraitName, Trait]:
    """Keep only traits that a trait group still defines."""
    return {name: trait for name, trait in traits.items() if is_defined(groups, name)}


def is_defined(groups: Mapping[str, TraitGroup], name: TraitName) -> bool:
    return name.group in groups and name.name in groups[name.group].traits
