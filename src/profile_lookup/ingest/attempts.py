"""Attempts: the changes of many requests, which are resolved one after the other, and written together."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from profile_lookup.database.ids import new_id
from profile_lookup.errors import IdentifierConflict, NothingUnblocked, ProfileLookupError, TraitsRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.merging import MICROSECOND
from profile_lookup.identity.newcomers import NewProfile, new_profile, newcomers
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.profile_replay import ProfileReplay, Written
from profile_lookup.ingest.former_forms import Former, former_forms
from profile_lookup.stores.rules_cache import StoreRules

MAX_IDENTIFIERS = 1500
"""Per request: 15 types of 100 values. Each takes an advisory lock, and PostgreSQL's table of locks is limited."""

MAX_KEYS_TOGETHER = 768
"""Identifiers of several requests in one transaction, with the earlier forms of their values.

`take_turn` in `database/identity_locks.sql` has two turns for transactions of this size.
"""

MIN_COPIED = 50
"""Newcomers that are worth a COPY, which takes some round trips more than one statement for all profiles."""

Gather = Callable[[Iterable[Iterable[NormalizedIdentifier]]], Awaitable[list[Profile]]]
"""Returns the profiles on which the decision about some requests can depend, given the identifiers of each request."""


class Attempt(NamedTuple):
    """A change, or why a request is refused, the time of the request, and who sent it."""

    change: Change | ProfileLookupError
    requested_at: datetime
    actor: Actor | None = None


Outcome = Written | ProfileLookupError


class Resolved(NamedTuple):
    """What comes of some attempts, of which nothing is written yet.

    - `outcomes`: that of each attempt that fits in one transaction
    - `candidates`: the stored profiles on which these can depend
    - `new_profiles`: those of people whom nobody knew, if they are many
    - `replay`: it has applied all other attempts
    - `has_replayed`: whether there were any others
    """

    outcomes: list[Outcome]
    candidates: Sequence[Profile]
    new_profiles: list[NewProfile]
    replay: ProfileReplay
    has_replayed: bool


def time_after(attempt: Attempt) -> datetime:
    """Return the time of the attempt after this one.

    Each value of a request counts as a microsecond later than the one before it, and so does each profile of a batch.
    """
    change = attempt.change
    return attempt.requested_at + MICROSECOND * (max(1, len(change.incoming)) if isinstance(change, Change) else 1)


async def resolve_together(
    store: StoreRules,
    attempts: Iterable[Attempt],
    gather: Gather,
    max_keys: int = MAX_KEYS_TOGETHER,
    new_profile_id: Callable[[], UUID] = new_id,
) -> Resolved:
    """Resolve as many attempts as fit in one transaction, at least the first, each after the one before it.

    Those fit that together have at most `max_keys` identifiers and earlier forms of these. The iterable is read only up
    to the first attempt that does not fit. An attempt that fails changes nothing. `new_profile_id` returns the ID of
    each new profile, and of each merge. Raises what `gather` raises.
    """
    fitting = list(_take_fitting(store, attempts, max_keys))
    requests = {
        number: (*change.incoming, *former)
        for number, ((change, _, _), former) in enumerate(fitting)
        if isinstance(change, Change)
    }
    candidates = await gather(requests.values())
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
    return Resolved(outcomes, candidates, new_profiles, replay, len(new_profiles) < len(requests))


def refusal_of(change: Change) -> TraitsRefused | None:
    """Return why the change of a create is refused as a whole: it has no identifiers, or too many."""
    if 1 <= len(change.incoming) <= MAX_IDENTIFIERS:
        return None
    if change.blocked and not change.incoming:
        return NothingUnblocked((f"traits.{each.trait}", each.block.reason) for each in change.blocked)
    return TraitsRefused(f"traits: expected 1-{MAX_IDENTIFIERS} values that are promoted to identifiers")


def _to_copy(new: set[int]) -> set[int]:
    """Return the newcomers if they are worth a COPY, else nobody: then they are replayed like the others."""
    return new if len(new) >= MIN_COPIED else set()


def _take_fitting(store: StoreRules, attempts: Iterable[Attempt], max_keys: int) -> Iterator[tuple[Attempt, Former]]:
    """Yield each attempt with the earlier forms of its identifiers."""
    total = 0
    for attempt in attempts:
        change = attempt.change
        attempted = change if isinstance(change, ProfileLookupError) else refusal_of(change) or change
        keys_before = total
        former = former_forms(store, attempted) if isinstance(attempted, Change) else {}
        if isinstance(attempted, Change):
            total += len(attempted.incoming) + len(former)
        if keys_before and total > max_keys:
            return
        yield attempt if attempted is change else attempt._replace(change=attempted), former


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
