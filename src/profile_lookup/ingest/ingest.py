"""The only path by which profiles get identifiers: gather candidates, resolve and write, in one transaction."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.errors import (
    IdentifierConflict,
    NothingUnblocked,
    ProfileLookupError,
    TraitsRefused,
)
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.newcomers import NewProfile, new_profile, newcomers
from profile_lookup.identity.profile_replay import ProfileReplay, SharedValue, Written
from profile_lookup.identity.traits import read_traits
from profile_lookup.ingest.evictions import log_evictions
from profile_lookup.ingest.former_forms import Former, former_forms, with_stored_replaced
from profile_lookup.ingest.identity_locks import Write, lock_and_gather, write_in_transaction
from profile_lookup.ingest.new_profiles import copy_new_profiles
from profile_lookup.ingest.writes import write
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids

log = logging.getLogger(__name__)

MAX_IDENTIFIERS = 1500
"""Per request: 15 types of 100 values. Each takes an advisory lock, and PostgreSQL's table of locks is limited."""

MAX_KEYS_TOGETHER = 768
"""Identifiers of several requests in one transaction, with the earlier forms of their values.

`take_turn` in `database/identity_locks.sql` has two turns for transactions of this size.
"""

MIN_COPIED = 50
"""Newcomers that are worth a COPY, which takes some round trips more than one statement for all profiles."""


class Attempt(NamedTuple):
    """A change, or why a request is refused, the time of the request, and who sent it."""

    change: Change | ProfileLookupError
    requested_at: datetime
    actor: Actor | None = None


Outcome = Written | ProfileLookupError


def change_of(store: StoreRules, sent: Mapping[str, Mapping[str, object]]) -> Change:
    """Return the change of a create with these traits, given as they were sent. Raises `TraitsRefused`."""
    traits = read_traits(store.trait_groups, sent)
    if not traits:
        raise TraitsRefused("Traits are required to create a profile")
    return Change.of_traits(store.trait_groups, store.settings, traits, store.blocked_values)


def time_after(attempt: Attempt) -> datetime:
    """Return the time of the attempt after this one.

    Each value of a request counts as a microsecond later than the one before it, and so does each profile of a batch.
    """
    change = attempt.change
    return attempt.requested_at + timedelta(
        microseconds=max(1, len(change.incoming)) if isinstance(change, Change) else 1
    )


async def ingest(
    database: Database,
    store: StoreRules,
    read: Callable[[StoreRules], Change],
    requested_at: datetime,
    known: UUID | None = None,
    actor: Actor | None = None,
) -> UUID:
    """Write what a request asks to change about one person, and return the canonical profile.

    `read` reads the request by the store's rules; if these change meanwhile, it is called again. `known` is the profile
    that the request names, if any, and `actor` is who sent it. Everything that the request writes has its time,
    `requested_at`, however long it waits for others.

    Raises what `read` raises; `TraitsRefused` if the request identifies nobody; `IdentifierConflict` if it names two
    people who may not be merged; `NothingToReplace`; `ProfileMoved` or `ProfileNotFound` of the known profile;
    `StoreNotFound`; `Unavailable`. In each case nothing is written.
    """

    def prepare(store: StoreRules) -> Write[Written]:
        change = read(store)
        refusal = _refusal(change)
        if refusal is not None and (known is None or change.incoming):
            raise refusal

        async def ingest_one(connection: AsyncConnection) -> Written:
            former = former_forms(store, change)
            candidates = await lock_and_gather(connection, store, [(*change.incoming, *former)], known)
            replay = ProfileReplay(store.settings, candidates, new_id, store.blocked_values)
            stored = with_stored_replaced(store, candidates, change, known, former)
            written = replay.apply(stored, requested_at, known, former, actor)
            await write(connection, store, replay.difference())
            _log_shared_values(store, replay.shared_values)
            return written

        return ingest_one

    written = await write_in_transaction(database, store, prepare)
    log_evictions(store.id, [written])
    return written.profile_id


async def ingest_together(
    connection: AsyncConnection,
    store: StoreRules,
    attempts: Iterable[Attempt],
    on_resolved: Callable[[Sequence[Outcome]], None] = lambda _: None,
    max_keys: int = MAX_KEYS_TOGETHER,
    new_profile_id: Callable[[], UUID] = new_id,
) -> list[Outcome]:
    """Write as many attempts as fit in one transaction, at least the first, each as `ingest` would write it alone.

    Those fit that together have at most `max_keys` identifiers and earlier forms of these.

    The iterable is read only up to the first attempt that does not fit. The caller continues after as many attempts as
    there are outcomes. An attempt that fails changes nothing, and the others are written. `on_resolved` is called with
    the outcomes before they are written, when all locks are held. `new_profile_id` returns the ID of each new profile,
    and of each merge. Raises `RulesChanged` or `CandidateMoved`, as `lock_and_gather` does.
    """
    fitting = list(_take_fitting(store, attempts, max_keys))
    requests = {
        number: (*change.incoming, *former)
        for number, ((change, _, _), former) in enumerate(fitting)
        if isinstance(change, Change)
    }
    candidates = await lock_and_gather(connection, store, requests.values())
    new = _to_copy(newcomers(store.settings, requests, candidates))
    replay = ProfileReplay(store.settings, candidates, new_profile_id, store.blocked_values)
    new_profiles: list[NewProfile] = []
    outcomes: list[Outcome] = []
    for number, (attempt, former) in enumerate(fitting):
        profile = _new_profile(store, attempt, new_profile_id) if number in new else None
        if profile is None:
            outcomes.append(_apply(replay, attempt, former))
        else:
            new_profiles.append(profile)
            outcomes.append(Written("created", profile.id))
    on_resolved(outcomes)
    if new_profiles:
        await copy_new_profiles(connection, store.settings, store.id, new_profiles)
    if len(new_profiles) < len(requests):
        await write(connection, store, replay.difference())
    _log_shared_values(store, replay.shared_values)
    return outcomes


def _to_copy(new: set[int]) -> set[int]:
    """Return the newcomers if they are worth a COPY, else nobody: then they are replayed like the others."""
    return new if len(new) >= MIN_COPIED else set()


def _log_shared_values(store: StoreRules, shared_values: Iterable[SharedValue]) -> None:
    for each in shared_values:
        fields = {"store_id": ids.store_id(store.id), "id_type": each.id_type, "names": each.names}
        log.warning("a value was written under many names", extra=fields)


def _take_fitting(store: StoreRules, attempts: Iterable[Attempt], max_keys: int) -> Iterator[tuple[Attempt, Former]]:
    """Yield each attempt with the earlier forms of its identifiers."""
    total = 0
    for attempt in attempts:
        change = attempt.change
        attempted = change if isinstance(change, ProfileLookupError) else _refusal(change) or change
        keys_before = total
        former = former_forms(store, attempted) if isinstance(attempted, Change) else {}
        if isinstance(attempted, Change):
            total += len(attempted.incoming) + len(former)
        if keys_before and total > max_keys:
            return
        yield attempt._replace(change=attempted), former


def _new_profile(store: StoreRules, attempt: Attempt, new_profile_id: Callable[[], UUID]) -> NewProfile | None:
    assert isinstance(attempt.change, Change)
    return new_profile(store.settings, attempt.change, attempt.requested_at, new_profile_id, attempt.actor)


def _apply(replay: ProfileReplay, attempt: Attempt, former: Former) -> Outcome:
    if isinstance(attempt.change, ProfileLookupError):
        return attempt.change
    try:
        return replay.apply(attempt.change, attempt.requested_at, former=former, actor=attempt.actor)
    except (IdentifierConflict, TraitsRefused) as refused:
        return refused


def _refusal(change: Change) -> TraitsRefused | None:
    if 1 <= len(change.incoming) <= MAX_IDENTIFIERS:
        return None
    if change.blocked and not change.incoming:
        return NothingUnblocked((f"traits.{each.trait}", each.block.reason) for each in change.blocked)
    return TraitsRefused(f"traits: expected 1-{MAX_IDENTIFIERS} values that are promoted to identifiers")
