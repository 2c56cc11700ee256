"""Splits: joins of a person are undone in one transaction, and what happened since is replayed for each part.

See docs/undo.md, and decision record 0043 for how a split is computed.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Self, TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.blocked_values.changes import put_in_force
from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.history.queries import has_more_events, person_of
from profile_lookup.history.split_request import SplitRequest, enqueue_split
from profile_lookup.history.split_rows import held_by_others, write_split
from profile_lookup.identity.blocked_values import BlockedValues
from profile_lookup.identity.history.split_events import events_of_split
from profile_lookup.identity.history.splitting import Person, Split, identifiers_that_may_return, split
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, values_by_group
from profile_lookup.ingest.identity_locks import CandidateMoved, Write, lock_and_gather, write_in_transaction
from profile_lookup.ingest.locked_profiles import is_defined
from profile_lookup.operations.quotas import Quotas, refuse_beyond_queue_quota
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.web.etags import profile_etag, refuse_outdated

MOST_EVENTS = 10_000
"""A profile with more events is split by an operation."""

LONGEST_IDLE = 1.0  # seconds; the server would end a transaction in which nothing happens for some seconds

T = TypeVar("T")


async def split_or_enqueue(
    database: Database,
    store: StoreRules,
    profile_id: UUID,
    request: SplitRequest,
    requested_at: datetime,
    quotas: Quotas,
) -> Split | UUID:
    """Undo joins of a profile, and return what is left of it: the same for a dry run, which changes nothing.

    If the profile has more than `MOST_EVENTS` events, let an operation do it, and return its ID.

    Raises `Outdated`, `JoinRefused`, `AlreadyUndone`, `RequestRefused` for a value that cannot be blocked,
    `TooManyOperations`, `ProfileMoved`, `ProfileNotFound`, `StoreNotFound` and `Unavailable`. In each case nothing is
    written.
    """
    returning: set[NormalizedIdentifier] = set()

    async def write(undo: Undo, connection: AsyncConnection) -> Split | UUID:
        profile = await undo.lock(connection, returning)
        if await has_more_events(connection, undo.store, profile.id, MOST_EVENTS):
            return await enqueue_split(connection, undo.store, profile.id, request, quotas)
        if request.blocks:
            await refuse_beyond_queue_quota(connection, store.account_id, store.id, quotas)
        return await undo.write(connection, profile, returning)

    def prepare(store: StoreRules) -> Write[Split | UUID]:
        return partial(write, Undo.of(store, profile_id, request, requested_at))

    return await write_in_transaction(database, store, prepare)


async def split_profile(
    database: Database, store: StoreRules, profile_id: UUID, request: SplitRequest, requested_at: datetime
) -> Split:
    """Do as `split_or_enqueue`, but at once, however long it takes.

    The connections of `database` must have no limit for the time of a command.
    """
    returning: set[NormalizedIdentifier] = set()

    async def write(undo: Undo, connection: AsyncConnection) -> Split:
        await connection.execute(text("set local statement_timeout = 0"))
        return await undo.write(connection, await undo.lock(connection, returning), returning)

    def prepare(store: StoreRules) -> Write[Split]:
        return partial(write, Undo.of(store, profile_id, request, requested_at))

    return await write_in_transaction(database, store, prepare)


@dataclass(frozen=True, slots=True)
class Undo:
    """A split by certain rules of a store. `blocking` is what the store blocks from then on.

    `returning`, in each method, are the identifiers whose keys are locked because they may come back.
    """

    store: StoreRules
    profile_id: UUID
    request: SplitRequest
    blocking: BlockedValues
    at: datetime

    @classmethod
    def of(cls, store: StoreRules, profile_id: UUID, request: SplitRequest, at: datetime) -> Self:
        """Raises `RequestRefused` for a value that cannot be blocked."""
        return cls(store, profile_id, request, store.blocked_values.with_values(store.settings, request.block), at)

    async def lock(self, connection: AsyncConnection, returning: Collection[NormalizedIdentifier]) -> Profile:
        """Lock the profile and all that the split needs, and return the profile."""
        store, request = self.store, self.request
        if request.blocks:
            await lock_rules(connection, store.account_id, store.id)
        (profile,) = await lock_and_gather(connection, store, known=self.profile_id, reserved=returning)
        current = profile_etag(profile.id, values_by_group(profile.traits), profile.identifiers)
        refuse_outdated(request.if_match, current)
        return profile

    async def write(self, connection: AsyncConnection, profile: Profile, returning: set[NormalizedIdentifier]) -> Split:
        """Split the locked profile.

        Raises `CandidateMoved` if more identifiers may come back than `returning`. It then holds all of them: keys are
        locked before rows, and only the events of the locked profile tell which are needed.
        """
        store, request = self.store, self.request
        person, numbers = await person_of(connection, store, profile)
        may_return = identifiers_that_may_return(person.events, request.events) - profile.identifiers.keys()
        if not may_return <= returning:
            returning |= may_return
            raise CandidateMoved
        withheld = await held_by_others(connection, store, profile.id, may_return)
        done = await _in_thread(connection, partial(self._split, person, may_return, withheld, new_id()))
        if not request.is_dry_run:
            events = events_of_split(
                done, profile.id, tuple(request.events), self.at, request.actor, new_id, self._is_blocked
            )
            await write_split(connection, store, person, numbers, done, [*events], keeps_apart=request.keeps_apart)
        if request.blocks:
            await put_in_force(connection, store, self.blocking, request.actor)
        return done

    def _split(
        self,
        person: Person,
        may_return: Collection[NormalizedIdentifier],
        withheld: Collection[NormalizedIdentifier],
        split_id: UUID,
    ) -> Split:
        blocked = set(filter(self._is_blocked, {*person.profile.identifiers, *may_return}))
        return split(
            self.store.settings,
            person,
            self.request.events,
            split_id,
            blocked.union(withheld),
            partial(is_defined, self.store.trait_groups),
        )

    def _is_blocked(self, identifier: NormalizedIdentifier) -> bool:
        settings = self.store.settings
        return identifier.id_type in settings.id_types and bool(self.blocking.block(settings, identifier))


async def _in_thread(connection: AsyncConnection, compute: Callable[[], T]) -> T:
    """Return what the function returns. Others are served meanwhile, and the transaction goes on."""
    computing = asyncio.create_task(asyncio.to_thread(compute))
    try:
        while not (await asyncio.wait([computing], timeout=LONGEST_IDLE))[0]:
            await connection.execute(text("select"))
        return computing.result()
    finally:
        computing.cancel()
