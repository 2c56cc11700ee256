"""The only path by which profiles get identifiers: gather candidates, resolve and write, in one transaction."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.errors import (
    IdentifierConflict,
    NothingToReplace,
    NothingUnblocked,
    ProfileLookupError,
    TraitsRefused,
)
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.person_names import depend_on_names
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.profile_replay import ProfileReplay, SharedValue, Written
from profile_lookup.identity.traits import read_traits
from profile_lookup.ingest.identity_locks import Write, lock_and_gather, with_names, write_in_transaction
from profile_lookup.ingest.writes import write
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids

log = logging.getLogger(__name__)

MAX_IDENTIFIERS = 1500
"""Per transaction: 15 types of 100 values. Each takes an advisory lock, and PostgreSQL's table of locks is limited."""

Attempt = tuple[Change | ProfileLookupError, datetime]
"""A change, or why a request is refused, and the time of the request."""

Outcome = Written | ProfileLookupError


def change_of(store: StoreRules, sent: Mapping[str, Mapping[str, object]]) -> Change:
    """Return the change that writes these traits, given as they were sent. Raises `TraitsRefused`."""
    traits = read_traits(store.trait_groups, sent)
    return Change.of_traits(store.trait_groups, store.settings, traits, store.blocked_values)


def time_after(attempt: Attempt) -> datetime:
    """Return the time of the attempt after this one.

    Each value of a request counts as a microsecond later than the one before it, and so does each profile of a batch.
    """
    change, requested_at = attempt
    return requested_at + timedelta(microseconds=max(1, len(change.incoming)) if isinstance(change, Change) else 1)


async def ingest(
    database: Database,
    store: StoreRules,
    read: Callable[[StoreRules], Change],
    requested_at: datetime,
    known: UUID | None = None,
) -> UUID:
    """Write what a request asks to change about one person, and return the canonical profile.

    `read` reads the request by the store's rules; if these change meanwhile, it is called again. `known` is the profile
    that the request names, if any. Everything that the request writes has its time, `requested_at`, however long it
    waits for others.

    Raises what `read` raises; `TraitsRefused` if the request identifies nobody; `IdentifierConflict` if it names two
    people who may not be merged; `NothingToReplace`; `ProfileMoved` or `ProfileNotFound` of the known profile;
    `StoreNotFound`; `Unavailable`. In each case nothing is written.
    """

    def prepare(store: StoreRules) -> Write[UUID]:
        change = read(store)
        refusal = _refusal(change)
        if refusal is not None and (known is None or change.incoming):
            raise refusal

        async def ingest_one(connection: AsyncConnection) -> UUID:
            replay = await _replay(connection, store, [change], known)
            written = replay.apply(change, requested_at, known)
            await write(connection, store.settings, store.id, replay.difference())
            _log_shared_values(store, replay.shared_values)
            return written.profile_id

        return ingest_one

    return await write_in_transaction(database, store, prepare)


async def ingest_together(
    connection: AsyncConnection,
    store: StoreRules,
    attempts: Iterable[Attempt],
    on_resolved: Callable[[Sequence[Outcome]], None] = lambda _: None,
) -> list[Outcome]:
    """Write as many attempts as fit in one transaction, at least the first, each as `ingest` would write it alone.

    The iterable is read only up to the first attempt that does not fit. The caller continues after as many attempts as
    there are outcomes. An attempt that fails changes nothing, and the others are written. `on_resolved` is called with
    the outcomes before they are written, when all locks are held. Raises `RulesChanged` or `CandidateMoved`, as
    `lock_and_gather` does.
    """
    fitting = list(_take_fitting(attempts))
    replay = await _replay(connection, store, [change for change, _ in fitting if isinstance(change, Change)])
    outcomes = [_apply(replay, change, requested_at) for change, requested_at in fitting]
    on_resolved(outcomes)
    await write(connection, store.settings, store.id, replay.difference())
    _log_shared_values(store, replay.shared_values)
    return outcomes


async def _replay(
    connection: AsyncConnection, store: StoreRules, changes: Sequence[Change], known: UUID | None = None
) -> ProfileReplay:
    """Lock all profiles on which the changes depend, and return the replay with them.

    Raises what `lock_and_gather` raises, and `NothingToReplace`.
    """
    incoming = (each for change in changes for each in change.incoming)
    candidates = await lock_and_gather(connection, store, _identifying(store, incoming), known)
    for change in changes:
        _refuse_without_replaced(candidates, change, known)
    if depend_on_names(candidates, changes):
        candidates = await with_names(connection, store, candidates)
    return ProfileReplay(store.settings, candidates, new_id, store.blocked_values)


def _log_shared_values(store: StoreRules, shared_values: Iterable[SharedValue]) -> None:
    for each in shared_values:
        fields = {"store_id": ids.store_id(store.id), "id_type": each.id_type, "names": each.names}
        log.warning("a value was written under many names", extra=fields)


def _identifying(store: StoreRules, incoming: Iterable[NormalizedIdentifier]) -> list[NormalizedIdentifier]:
    """Return the identifiers of types that identify, each once.

    Who holds the others has no bearing on the decision, and a whole store may hold the same value.
    """
    return [each for each in dict.fromkeys(incoming) if store.settings.is_identifying(each.id_type)]


def _take_fitting(attempts: Iterable[Attempt]) -> Iterator[Attempt]:
    total = 0
    for change, requested_at in attempts:
        attempted = change if isinstance(change, ProfileLookupError) else _refusal(change) or change
        total += len(attempted.incoming) if isinstance(attempted, Change) else 0
        if total > MAX_IDENTIFIERS:
            return
        yield attempted, requested_at


def _apply(replay: ProfileReplay, change: Change | ProfileLookupError, requested_at: datetime) -> Outcome:
    if isinstance(change, ProfileLookupError):
        return change
    try:
        return replay.apply(change, requested_at)
    except (IdentifierConflict, TraitsRefused) as refused:
        return refused


def _refusal(change: Change) -> TraitsRefused | None:
    if 1 <= len(change.incoming) <= MAX_IDENTIFIERS:
        return None
    if change.blocked and not change.incoming:
        return NothingUnblocked((f"traits.{each.trait}", each.block.reason) for each in change.blocked)
    return TraitsRefused(f"traits: expected 1-{MAX_IDENTIFIERS} values that are promoted to identifiers")


def _refuse_without_replaced(candidates: Sequence[Profile], change: Change, known: UUID | None) -> None:
    if change.replaced is not None:
        (profile,) = [profile for profile in candidates if profile.id == known]
        if change.replaced not in profile.identifiers:
            raise NothingToReplace
