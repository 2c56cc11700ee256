"""Splits: joins of a person are undone in one transaction, and what happened since is replayed for each part.

See docs/undo.md, and decision record 0043 for how a split is computed.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.blocked_values import queries as blocked_values
from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.history.split_rows import held_by_others, locked_person, write_split
from profile_lookup.identity.blocked_values import BlockedValues
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.splitting import Person, Split, identifiers_that_may_return, split
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.profile import values_by_group
from profile_lookup.ingest.identity_locks import CandidateMoved, Write, lock_and_gather, write_in_transaction
from profile_lookup.ingest.locked_profiles import is_defined
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queue import enqueue
from profile_lookup.operations.quotas import Quotas, refuse_beyond_queue_quota
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.web.etags import profile_etag, refuse_outdated


@dataclass(frozen=True, slots=True)
class SplitRequest:
    """What is to be undone. Values are personal data, so they are in no message.

    - `events`: the joins
    - `keeps_apart`: the parts never become one person again
    - `block`: values that identify nobody from now on
    - `is_dry_run`: nothing is written
    - `if_match`: the ETags that the profile may have
    """

    events: Sequence[UUID]
    keeps_apart: bool = True
    block: Sequence[Identifier] = ()
    is_dry_run: bool = False
    if_match: str | None = None

    @property
    def blocks(self) -> bool:
        """Whether the store's blocked values change."""
        return bool(self.block) and not self.is_dry_run


async def split_profile(
    database: Database,
    store: StoreRules,
    profile_id: UUID,
    request: SplitRequest,
    requested_at: datetime,
    actor: Actor,
    quotas: Quotas,
) -> Split:
    """Undo joins of a profile, and return what is left of it: the same for a dry run, which changes nothing.

    Raises `Outdated`, `JoinRefused`, `AlreadyUndone`, `RequestRefused` for a value that cannot be blocked,
    `TooManyOperations`, `ProfileMoved`, `ProfileNotFound`, `StoreNotFound` and `Unavailable`. In each case nothing is
    written.
    """
    returning: set[NormalizedIdentifier] = set()

    def prepare(store: StoreRules) -> Write[Split]:
        blocking = store.blocked_values.with_values(store.settings, request.block)
        undo = _Undo(store, profile_id, request, blocking, requested_at, actor, quotas)
        return partial(undo.write, returning=returning)

    return await write_in_transaction(database, store, prepare)


@dataclass(frozen=True, slots=True)
class _Undo:
    """A split by certain rules of a store. `blocking` is what the store blocks from then on."""

    store: StoreRules
    profile_id: UUID
    request: SplitRequest
    blocking: BlockedValues
    requested_at: datetime
    actor: Actor
    quotas: Quotas

    async def write(self, connection: AsyncConnection, returning: set[NormalizedIdentifier]) -> Split:
        """Split the profile in a transaction.

        Raises `CandidateMoved` if more identifiers may come back than `returning`, whose keys are locked. It then holds
        all of them: keys are locked before rows, and only the events of the locked profile tell which are needed.
        """
        store, request = self.store, self.request
        if request.blocks:
            await lock_rules(connection, store.account_id, store.id)
        (profile,) = await lock_and_gather(connection, store, known=self.profile_id, reserved=returning)
        refuse_outdated(request.if_match, profile_etag(profile.id, values_by_group(profile.traits)))
        person, numbers = await locked_person(connection, store, profile)
        may_return = identifiers_that_may_return(person.events, request.events) - profile.identifiers.keys()
        if not may_return <= returning:
            returning |= may_return
            raise CandidateMoved
        withheld = await held_by_others(connection, store, profile.id, may_return)
        split_id = new_id()
        done = await asyncio.to_thread(self._split, person, may_return, withheld, split_id)
        if not request.is_dry_run:
            event = Event(
                split_id, "split", self.requested_at, profile.id, actor=self.actor, undid=tuple(request.events)
            )
            await write_split(connection, store, person, numbers, done, event, keeps_apart=request.keeps_apart)
        if request.blocks:
            await self._block(connection)
        return done

    def _split(
        self,
        person: Person,
        may_return: Collection[NormalizedIdentifier],
        withheld: Collection[NormalizedIdentifier],
        split_id: UUID,
    ) -> Split:
        """Compute the split. It runs in a thread, since others are to be served meanwhile."""
        settings, groups = self.store.settings, self.store.trait_groups
        blocked = {
            each
            for each in {*person.profile.identifiers, *may_return}
            if each.id_type in settings.id_types and self.blocking.block(settings, each)
        }
        return split(
            settings, person, self.request.events, split_id, blocked.union(withheld), partial(is_defined, groups)
        )

    async def _block(self, connection: AsyncConnection) -> None:
        """Put the blocked values in force; an operation removes them from all other profiles."""
        store = self.store
        await refuse_beyond_queue_quota(connection, store.account_id, store.id, self.quotas)
        await blocked_values.replace(connection, store, self.blocking)
        await enqueue(connection, store.account_id, store.id, kind=OperationKind.UPDATE_BLOCKED_VALUES, job_input={})
