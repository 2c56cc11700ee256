"""The only path by which profiles get identifiers: gather candidates, resolve and write, in one transaction."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.errors import TraitsRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.profile_replay import ProfileReplay, SharedValue, Written
from profile_lookup.identity.traits import read_traits
from profile_lookup.ingest.attempts import (
    MAX_KEYS_TOGETHER,
    Attempt,
    Outcome,
    refusal_of,
    resolve_together,
)
from profile_lookup.ingest.evictions import log_evictions
from profile_lookup.ingest.former_forms import former_forms, with_stored_replaced
from profile_lookup.ingest.identity_locks import Write, lock_and_gather, write_in_transaction
from profile_lookup.ingest.new_profiles import copy_new_profiles
from profile_lookup.ingest.writes import write
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids

log = logging.getLogger(__name__)


def change_of(store: StoreRules, sent: Mapping[str, Mapping[str, object]]) -> Change:
    """Return the change of a create with these traits, given as they were sent. Raises `TraitsRefused`."""
    traits = read_traits(store.trait_groups, sent)
    if not traits:
        raise TraitsRefused("Traits are required to create a profile")
    return Change.of_traits(store.trait_groups, store.settings, traits, store.blocked_values)


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
        refusal = refusal_of(change)
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
    lock_timeout: str | None = None,
) -> list[Outcome]:
    """Write as many attempts as fit in one transaction, at least the first, each as `ingest` would write it alone.

    Those fit that together have at most `max_keys` identifiers and earlier forms of these.

    The iterable is read only up to the first attempt that does not fit. The caller continues after as many attempts as
    there are outcomes. An attempt that fails changes nothing, and the others are written. `on_resolved` is called with
    the outcomes before they are written, when all locks are held. `new_profile_id` returns the ID of each new profile,
    and of each merge. `lock_timeout` is PostgreSQL's setting. Raises `RulesChanged` or `CandidateMoved`, as
    `lock_and_gather` does.
    """
    gather = partial(lock_and_gather, connection, store, lock_timeout=lock_timeout)
    resolved = await resolve_together(store, attempts, gather, max_keys, new_profile_id)
    on_resolved(resolved.outcomes)
    if resolved.new_profiles:
        await copy_new_profiles(connection, store.settings, store.id, resolved.new_profiles)
    if resolved.has_replayed:
        await write(connection, store, resolved.replay.difference())
    _log_shared_values(store, resolved.replay.shared_values)
    return resolved.outcomes


def _log_shared_values(store: StoreRules, shared_values: Iterable[SharedValue]) -> None:
    for each in shared_values:
        fields = {"store_id": ids.store_id(store.id), "id_type": each.id_type, "names": each.names}
        log.warning("a value was written under many names", extra=fields)
