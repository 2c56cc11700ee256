"""The only path by which identifiers come to profiles: gather candidates, resolve, apply, in one transaction."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.errors import IdentifierConflict, NothingToReplace, ProfileLookupError, TraitsRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.profile_replay import ProfileReplay, Written
from profile_lookup.identity.traits import read_traits
from profile_lookup.ingest.identity_locks import Write, in_transaction, lock_and_gather
from profile_lookup.ingest.writes import write
from profile_lookup.stores.rules_cache import Store

MAX_IDENTIFIERS = 1500
"""In one transaction: 15 types of 100 values. Each is an advisory lock, and PostgreSQL's table of locks is shared."""

Attempt = tuple[Change | ProfileLookupError, datetime]
"""A change, or why a request is none, and its time."""

Outcome = Written | ProfileLookupError


def change_of(store: Store, sent: Mapping[str, Mapping[str, object]]) -> Change:
    """To write these traits, as they were sent. Raises `TraitsRefused`."""
    return Change.of_traits(store.trait_groups, store.settings, read_traits(store.trait_groups, sent))


async def ingest(
    database: Database,
    store: Store,
    read: Callable[[Store], Change],
    requested_at: datetime,
    known: UUID | None = None,
) -> UUID:
    """Write what a request says of one person, who may be known, and give the canonical profile that they are.

    `read` reads the request by the store's rules; if these change meanwhile, it is read again. Everything the request
    writes has its time, `requested_at`, however long it waits for others.

    Raises what `read` does; `TraitsRefused` when nothing identifies anybody; `IdentifierConflict` when it names two
    people who may not be merged; `NothingToReplace`; `ProfileMoved` or `ProfileNotFound` of the known one;
    `StoreNotFound`; `Unavailable`. In each case nothing is written.
    """

    def prepare(store: Store) -> Write[UUID]:
        change = read(store)
        refusal = _refusal(change)
        if refusal is not None and (known is None or change.incoming):
            raise refusal

        async def ingest_one(connection: AsyncConnection) -> UUID:
            candidates = await lock_and_gather(connection, store, _that_matter(store, change.incoming), known)
            _refuse_without_replaced(candidates, change, known)
            people = ProfileReplay(store.settings, candidates, new_id)
            written = people.apply(change, requested_at, known)
            await write(connection, store.settings, store.id, people.difference())
            return written.profile_id

        return ingest_one

    return await in_transaction(database, store, prepare)


async def ingest_together(
    connection: AsyncConnection,
    store: Store,
    attempts: Iterable[Attempt],
    resolved: Callable[[Sequence[Outcome]], None] = lambda _: None,
) -> list[Outcome]:
    """As `ingest`, one after the other, of as many as fit in one transaction: at least the first.

    No more of them are asked for, but the one that does not fit any more. Whoever calls goes on after as many attempts
    as there are outcomes. One that fails changes nothing, and the others go on. `resolved` is told the outcomes before
    they are written, all locks being held. Raises `RulesChanged` or `CandidateMoved`, as `lock_and_gather`.
    """
    fitting = list(_that_fit(attempts))
    incoming = (each for change, _ in fitting if isinstance(change, Change) for each in change.incoming)
    people = ProfileReplay(
        store.settings, await lock_and_gather(connection, store, _that_matter(store, incoming)), new_id
    )
    outcomes = [_attempt(people, change, requested_at) for change, requested_at in fitting]
    resolved(outcomes)
    await write(connection, store.settings, store.id, people.difference())
    return outcomes


def _that_matter(store: Store, incoming: Iterable[NormalizedIdentifier]) -> list[NormalizedIdentifier]:
    """Each once. Of the others it decides nothing who holds them, and a whole store may hold the same value."""
    return [each for each in dict.fromkeys(incoming) if store.settings.is_identifying(each.id_type)]


def _that_fit(attempts: Iterable[Attempt]) -> Iterator[Attempt]:
    total = 0
    for change, requested_at in attempts:
        judged = change if isinstance(change, ProfileLookupError) else _refusal(change) or change
        total += len(judged.incoming) if isinstance(judged, Change) else 0
        if total > MAX_IDENTIFIERS:
            return
        yield judged, requested_at


def _attempt(people: ProfileReplay, change: Change | ProfileLookupError, requested_at: datetime) -> Outcome:
    if isinstance(change, ProfileLookupError):
        return change
    try:
        return people.apply(change, requested_at)
    except IdentifierConflict as conflict:
        return conflict


def _refusal(change: Change) -> TraitsRefused | None:
    if 1 <= len(change.incoming) <= MAX_IDENTIFIERS:
        return None
    return TraitsRefused(f"traits: expected 1-{MAX_IDENTIFIERS} values that are promoted to identifiers")


def _refuse_without_replaced(candidates: Sequence[Profile], change: Change, known: UUID | None) -> None:
    if change.replaced is not None:
        (profile,) = [profile for profile in candidates if profile.id == known]
        if change.replaced not in profile.identifiers:
            raise NothingToReplace
