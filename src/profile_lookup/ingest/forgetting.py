"""Takes removed values out of the stored events of their person: see `identity/history/forgetting.py`."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import parsed_traits
from profile_lookup.database.event_rows import NumberedEvent, events_of, ids_of_people, rewrite
from profile_lookup.errors import TraitValueRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.difference import Difference
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.event_log import Forgotten
from profile_lookup.identity.history.forgetting import (
    promoting_values,
    without_identifiers,
    without_trait_values,
    without_traits,
)
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Trait, TraitName, TraitValue
from profile_lookup.stores.rules_cache import StoreRules


async def forget(connection: AsyncConnection, store: StoreRules, difference: Difference) -> Difference:
    """Take what people lost out of their stored events, and return the difference whose events do not have it either.

    A trait that a person keeps although it lost the identifier is marked. The caller has locked the profiles, and
    writes the difference after this.
    """
    events = difference.events
    marked: dict[UUID, Mapping[TraitName, Trait]] = {}
    for forgotten in difference.forgotten:
        canonical = min(forgotten.profile_ids)
        canonical = difference.aliases.get(canonical, canonical)
        traits = await _kept_traits(connection, store, difference, canonical)
        kept = [(name, trait.value) for name, trait in traits.items()]
        if outlived := {name for name, value in kept if _promotes(store, forgotten.identifiers, name, value)}:
            marked[canonical] = {
                name: replace(trait, lost_identifier=trait.lost_identifier or name in outlived)
                for name, trait in {**traits, **marked.get(canonical, {})}.items()
            }
        ids = await ids_of_people(connection, store.id, forgotten.profile_ids)
        await rewrite_events(connection, store.id, ids, lambda event: _without(store, event, forgotten, kept))  # noqa: B023
        events = [
            _without_promoting_traits(store, event, forgotten, kept)
            if event.profile_id in forgotten.profile_ids
            else event
            for event in events
        ]
    return replace(difference, events=events, traits={**difference.traits, **marked})


async def rewrite_events(
    connection: AsyncConnection, store_id: UUID, ids: Collection[UUID], change: Callable[[Event], Event]
) -> None:
    """Write the changed events of a locked person with these IDs over the stored ones."""
    became = [
        NumberedEvent(number, changed)
        for number, event in await events_of(connection, store_id, ids)
        if (changed := change(event)) != event
    ]
    await rewrite(connection, store_id, became)


Values = Collection[tuple[TraitName, TraitValue]]


def _without(store: StoreRules, event: Event, forgotten: Forgotten, kept: Values) -> Event:
    """Return the event without these identifiers, the traits that promoted them, and all values of these traits."""
    event = _without_promoting_traits(store, event, forgotten, kept)
    event = without_trait_values(event, forgotten.values)
    return without_traits(without_identifiers(event, forgotten.identifiers), forgotten.traits)


def _without_promoting_traits(store: StoreRules, event: Event, forgotten: Forgotten, kept: Values) -> Event:
    """Return the event without the traits that promoted these identifiers.

    Those that the profile still has are `kept`.
    """
    promoted = partial(_promoted, store)
    return without_trait_values(event, promoting_values(event, forgotten.identifiers, promoted, kept))


def _promoted(store: StoreRules, name: TraitName, value: TraitValue) -> Collection[NormalizedIdentifier]:
    try:
        return Change.of_traits(store.trait_groups, store.settings, {name: value}).incoming
    except TraitValueRefused:  # by the rules of today
        return ()


def _promotes(
    store: StoreRules, identifiers: Collection[NormalizedIdentifier], name: TraitName, value: TraitValue
) -> bool:
    return bool(identifiers) and any(each in identifiers for each in _promoted(store, name, value))


async def _kept_traits(
    connection: AsyncConnection, store: StoreRules, difference: Difference, canonical: UUID
) -> Mapping[TraitName, Trait]:
    """Return the traits that the person has once the difference is written."""
    if canonical in difference.traits:
        return difference.traits[canonical]
    rows = await connection.execute(_TRAITS, {"store_id": store.id, "profile_id": canonical})
    return {name: trait for row in rows for name, trait in parsed_traits(row.traits, row.created_at).items()}


_TRAITS = text("""
    select traits, created_at from profile where store_id = :store_id and id = :profile_id
""")
