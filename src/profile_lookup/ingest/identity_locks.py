"""The locks under which profiles change.

What goes wrong without each lock is in docs/decisions/0003-resolution-under-races.md.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from hashlib import blake2b
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.citus.statements import in_store
from profile_lookup.database.pool import Database
from profile_lookup.errors import Unavailable
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.ingest.aliases import moved_or_not_found
from profile_lookup.ingest.locked_profiles import locked_profile_of
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
            await job.renew()  # the attempt has rolled its own renewal back, and may have taken long
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
    lock_timeout: str | None = None,
) -> list[Profile]:
    """Lock the profiles on which the decision about the requests can depend, and the known one, and return them.

    `requests` holds the identifiers of each request. Nobody else can add one of the `reserved` identifiers until we
    commit; who holds them is neither locked nor returned. All locks are held until then. Of the profiles that share a
    value, few are locked (docs/decisions/0024-weak-matches-are-two.md). `lock_timeout` is PostgreSQL's setting for the
    rest of the transaction; it is set by the same statement, since a statement of its own would be a round trip.

    Raises `RulesChanged` or `CandidateMoved`, upon
    which the caller must release the locks and start over, and `ProfileMoved` or `ProfileNotFound` if the known profile
    does not exist any more.
    """
    unique, shared = identifying(store.settings, requests)
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
    if lock_timeout is None:
        statement = _LOCK_AND_GATHER
    else:
        statement = _LOCK_BRIEFLY_AND_GATHER
        parameters["lock_timeout"] = lock_timeout
    rows = (await connection.execute(statement, parameters)).all()
    if any(row.profile_id is None for row in rows):
        raise RulesChanged
    if not all(row.is_locked for row in rows):
        raise CandidateMoved
    profiles = [locked_profile_of(row, store.trait_groups) for row in rows]
    if known is not None and known not in [profile.id for profile in profiles]:
        raise await moved_or_not_found(connection, store, known)
    return profiles


def _gathered(store_id: str) -> str:
    return f"""
        lock_and_gather(
            {store_id}, :revision, :store_key,
            cast(cast(:keys as text) as bigint[]), cast(cast(:id_types as text) as text[]), :values,
            :known, :shared_types, :shared_values, :shared_requests
        ) as gathered
    """


_LOCK_AND_GATHER = in_store("lock_profiles", f"select * from {_gathered(':store_id')}")  # noqa: S608 -- made of the constant above

# The function gets its first lock only after the setting, since it is called for the row that the setting returns.
_LOCK_BRIEFLY_AND_GATHER = in_store(
    "lock_profiles_briefly",
    f"""
    select gathered.*
    from set_config('lock_timeout', :lock_timeout, true) as setting (lock_timeout)
    cross join lateral {_gathered("case when setting.lock_timeout is not null then cast(:store_id as uuid) end")}
""",  # noqa: S608 -- made of the constant above
)


def identifying(
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
