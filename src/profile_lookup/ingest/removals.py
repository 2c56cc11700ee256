"""Removes identifiers or whole profiles. No identifier is added, so the lock of the profile's row is enough."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.event_rows import events_of, ids_of_people
from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.errors import NothingToRemove
from profile_lookup.identity.difference import Difference, difference_of
from profile_lookup.identity.former_values import named_identifiers
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Event, EventKind
from profile_lookup.identity.history.event_log import EventLog, Forgotten
from profile_lookup.identity.history.forgetting import identifiers_of
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.retention import first_to_go
from profile_lookup.ingest.identity_locks import lock_and_gather, write_in_transaction
from profile_lookup.ingest.profile_erasure import erase_profiles
from profile_lookup.ingest.writes import write
from profile_lookup.stores.rules_cache import StoreRules


@dataclass(frozen=True, slots=True)
class Removal:
    """What a request removes of one type: `value`, as it was sent; all values; or the one that a limit evicts first."""

    id_type: str
    value: str | None = None
    is_of_all: bool = False

    def chosen(
        self, store: StoreRules, identifiers: Mapping[NormalizedIdentifier, datetime]
    ) -> Collection[NormalizedIdentifier]:
        """Return which of a profile's identifiers are removed. Raises `ValueRefused`."""
        held = {each: at for each, at in identifiers.items() if each.id_type == self.id_type}
        if not held or self.is_of_all:
            return held.keys()
        if self.value is None:
            return {first_to_go(store.settings.config(self.id_type), held)}
        return self._stored_forms(store, self.value) & held.keys()

    def remembered(self, store: StoreRules, events: Iterable[Event]) -> set[NormalizedIdentifier]:
        """Return which identifiers leave the history although the profile may not have them any more.

        A limit may have evicted them, or they are blocked.
        """
        if self.value is None and not self.is_of_all:
            return set()
        known = {each for event in events for each in identifiers_of(event) if each.id_type == self.id_type}
        return known if self.value is None or not known else known & self._stored_forms(store, self.value)

    def _stored_forms(self, store: StoreRules, value: str) -> set[NormalizedIdentifier]:
        sent = Identifier(self.id_type, value)
        if store.may_hold_former_values:  # the value may be one that today's rules refuse
            return set(named_identifiers(store.settings, sent))
        return {store.settings.normalize(sent)}


async def remove_identifiers(
    database: Database,
    store: StoreRules,
    profile_id: UUID,
    removal: Removal,
    requested_at: datetime,
    actor: Actor | None,
) -> None:
    """Remove identifiers of a profile, and of its history, which may know some that the profile has no longer.

    Raises `NothingToRemove`, `ValueRefused`, `ProfileMoved`, `ProfileNotFound`, `StoreNotFound` or `Unavailable`.
    """

    async def remove(store: StoreRules, connection: AsyncConnection) -> None:
        (profile,) = await lock_and_gather(connection, store, known=profile_id)
        dropped = removal.chosen(store, profile.identifiers)
        ids = await ids_of_people(connection, store.id, [profile_id])
        history = [event for _, event in await events_of(connection, store.id, ids)]
        remembered = removal.remembered(store, history) - set(dropped)
        if not dropped and not remembered:
            raise NothingToRemove
        removals = [(profile, dropped)] if dropped else []
        difference = difference_of_removals(removals, requested_at, actor)
        forgotten = Forgotten(frozenset({profile_id}), tuple(remembered))
        await write(connection, store, replace(difference, forgotten=[*difference.forgotten, forgotten]))

    await write_in_transaction(database, store, lambda store: partial(remove, store))


Removed = tuple[Profile, Collection[NormalizedIdentifier]]
"""A locked profile, and the identifiers that it loses."""


def difference_of_removals(
    removals: Iterable[Removed], at: datetime, actor: Actor | None, *, forgets: bool = True
) -> Difference:
    """Return what removing identifiers of profiles changes. `forgets`: they leave the history as well."""
    return _difference(removals, at, actor, "identifierRemoved", forgets=forgets)


def difference_of_losses(losses: Iterable[Removed], at: datetime, actor: Actor | None) -> Difference:
    """Return what changes when profiles lose identifiers because these got the form that somebody else has.

    The profiles are kept apart. History keeps the identifiers.
    """
    return _difference(losses, at, actor, "renormalized", forgets=False)


def _difference(
    removals: Iterable[Removed], at: datetime, actor: Actor | None, kind: EventKind, *, forgets: bool
) -> Difference:
    before: dict[UUID, Profile] = {}
    after: dict[UUID, Profile] = {}
    log = EventLog()
    for profile, removed in removals:
        kept = {each: added_at for each, added_at in profile.identifiers.items() if each not in removed}
        became = replace(profile, identifiers=kept, creation=None)
        log.record_removal(new_id(), at, profile, became, tuple(removed), actor, kind=kind, forgets=forgets)
        before[profile.id], after[profile.id] = profile, became
    return difference_of(before, after, before.keys(), {}, (), log)


async def erase_profile(
    database: Database, store: StoreRules, profile_id: UUID, requested_at: datetime, actor: Actor | None
) -> None:
    """Erase a profile: afterwards no table holds anything of it, and none of its IDs names a profile.

    An event says that these IDs were erased.

    Raises `ProfileMoved`, `ProfileNotFound`, `StoreNotFound` or `Unavailable`.
    """

    async def erase(store: StoreRules, connection: AsyncConnection) -> None:
        await lock_and_gather(connection, store, known=profile_id)
        aliases = set(await ids_of_people(connection, store.id, [profile_id])) - {profile_id}
        await erase_profiles(connection, store.id, [profile_id])
        absorbed = tuple(Profile(each, {}, {}) for each in sorted(aliases))
        erasure = Event(new_id(), "erased", requested_at, profile_id, absorbed=absorbed, actor=actor)
        await write(connection, store, Difference(events=[erasure]))

    await write_in_transaction(database, store, lambda store: partial(erase, store))
