"""Gives stored identifiers today's forms, in a step of the operation that normalizes a store's values anew.

The counts of the operation, `changed`, `merged` and `kept`, are updated in place.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.event_rows import ids_of_people
from profile_lookup.database.ids import new_id
from profile_lookup.errors import IdentifierConflict, ProfileMoved, ProfileNotFound
from profile_lookup.identity.change import Change
from profile_lookup.identity.difference import Difference
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.forgetting import Forms, rewritten_event
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.profile_replay import ProfileReplay, Written
from profile_lookup.identity.settings_changes.renormalization import (
    collisions_of,
    forms_by_holder,
    lost_values,
    rewritten,
)
from profile_lookup.ingest.forgetting import rewrite_events
from profile_lookup.ingest.identity_locks import lock_and_gather
from profile_lookup.ingest.removals import difference_of_losses, difference_of_removals
from profile_lookup.ingest.writes import write
from profile_lookup.stores.rules_cache import StoreRules


class Stored(NamedTuple):
    """A stored identifier, who holds it, and since when."""

    identifier: NormalizedIdentifier
    profile_id: UUID
    added_at: datetime


class Held(NamedTuple):
    """A stored identifier that has another form today. `today` is None if that is blocked: it identifies nobody."""

    stored: Stored
    today: NormalizedIdentifier | None


async def rewrite_unique(
    connection: AsyncConnection, store: StoreRules, held: Sequence[Held], counts: dict[str, int], actor: Actor
) -> list[Written]:
    """Give each holder today's form, and return what was written; profiles that now hold the same one are one person.

    Forms that are blocked merge nobody, so their identifiers are deleted first. Of profiles that are kept apart, all
    but the one that had a value first lose it.
    """
    forms = [form for each in held for form in (each.stored.identifier, each.today) if form is not None]
    profiles = await lock_and_gather(connection, store, [forms])
    blocked = {each.stored.identifier for each in held if each.today is None}
    kept = []
    for profile in profiles:
        removed = tuple(each for each in profile.identifiers if each in blocked)
        if removed:
            await write(
                connection, store, difference_of_removals([(profile, removed)], CLOCK.now(), actor, forgets=False)
            )
            counts["changed"] += len(removed)
        kept.append(_without(blocked, profile) if removed else profile)
    became = {each.stored.identifier: each.today for each in held if each.today is not None}
    losers, kept = await _remove_lost(connection, store, kept, became, counts, actor)
    replay = ProfileReplay(store.settings, kept, new_id, records_updates=False)
    writes: list[Written] = []
    for each in held:
        if each.today is None:
            continue
        stored = each.stored.identifier
        for profile_id in list(replay.holders(stored)):
            change, former = Change((each.today,)), {stored: each.today}
            try:
                writes.append(replay.apply(change, each.stored.added_at, profile_id, former, actor))
            except IdentifierConflict:  # somebody else has it, and it may neither be shared nor merge the two
                counts["kept"] += 1
    counts["changed"] += len(writes)
    counts["merged"] += sum(each.how == "merged" for each in writes)
    await write(connection, store, replay.difference())
    ids = await ids_of_people(connection, store.id, [*losers, *(each.profile_id for each in writes)])
    await rewrite_events(connection, store.id, ids, partial(rewritten_event, forms=became))
    return writes


async def _remove_lost(
    connection: AsyncConnection,
    store: StoreRules,
    profiles: Sequence[Profile],
    forms: Forms,
    counts: dict[str, int],
    actor: Actor,
) -> tuple[Collection[UUID], list[Profile]]:
    """Remove the values that stay with somebody who is kept apart. Return who lost any, and the profiles without them.

    Types that are no matching rules merge nobody, so a value that collides keeps its form: it is not lost.
    """
    collisions = [each for each in collisions_of(profiles, forms) if each.id_type in store.settings.matching_rules]
    separations = {profile.id: profile.separations for profile in profiles}
    lost_forms = forms_by_holder(lost_values(store.settings.matching_rules, collisions, separations))
    left = []
    for profile in profiles:
        form_of = {each: forms.get(each, each) for each in profile.identifiers}
        lost = tuple(each for each, form in form_of.items() if form in lost_forms.get(profile.id, ()))
        if lost:
            await write(connection, store, difference_of_losses([(profile, lost)], CLOCK.now(), actor))
            counts["changed"] += len(lost)
        left.append(_without(lost, profile) if lost else profile)
    return lost_forms.keys(), left


async def rewrite_shared(
    connection: AsyncConnection, store: StoreRules, held: Sequence[Held], counts: dict[str, int], actor: Actor
) -> None:
    """Give each holder today's form, of a type whose values are shared: this alone merges nobody."""
    for each in sorted(held, key=lambda each: each.stored.profile_id):
        stored = each.stored.identifier
        profile = await _locked_holder(connection, store, each.stored.profile_id)
        if profile is None or stored not in profile.identifiers:
            continue  # a write has changed it meanwhile
        if each.today is None:
            difference = difference_of_removals([(profile, [stored])], CLOCK.now(), actor, forgets=False)
        else:
            became = rewritten(profile, {stored: each.today})
            difference = Difference(
                deleted_identifiers=[(profile.id, stored)],
                upserted_identifiers=[(profile.id, each.today, became.identifiers[each.today])],
                names={(profile.id, each.today): became.names[each.today]} if each.today in became.names else {},
            )
            forms = {stored: each.today}
            ids = await ids_of_people(connection, store.id, [profile.id])
            await rewrite_events(connection, store.id, ids, partial(rewritten_event, forms=forms))
        await write(connection, store, difference)
        counts["changed"] += 1


async def _locked_holder(connection: AsyncConnection, store: StoreRules, profile_id: UUID) -> Profile | None:
    """Lock and return the profile, or the one that it was merged into meanwhile; None if it was erased."""
    try:
        (profile,) = await lock_and_gather(connection, store, known=profile_id)
    except ProfileMoved as moved:
        return await _locked_holder(connection, store, moved.canonical_id)
    except ProfileNotFound:
        return None
    return profile


def _without(identifiers: Collection[NormalizedIdentifier], profile: Profile) -> Profile:
    """Return the profile as it is once they are removed, which its events say."""
    kept = {each: at for each, at in profile.identifiers.items() if each not in identifiers}
    return replace(profile, identifiers=kept, creation=None)
