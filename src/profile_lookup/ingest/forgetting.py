"""Takes removed values out of the stored events of their person: see `identity/history/forgetting.py`."""

from collections.abc import Callable, Collection
from dataclasses import replace
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
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.stores.rules_cache import StoreRules


async def forget(connection: AsyncConnection, store: StoreRules, difference: Difference) -> Difference:
    """Take what people lost out of their stored events, and return the difference whose events do not have it either.

    The caller has locked the profiles, and writes the difference after this.
    """
    events = difference.events
    for forgotten in difference.forgotten:
        kept = await _kept_traits(connection, store, difference, forgotten)
        ids = await ids_of_people(connection, store.id, forgotten.profile_ids)
        await rewrite_events(connection, store.id, ids, lambda event: _without(store, event, forgotten, kept))  # noqa: B023
        events = [
            _without_promoting_traits(store, event, forgotten, kept)
            if event.profile_id in forgotten.profile_ids
            else event
            for event in events
        ]
    return replace(difference, events=events)


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
    return without_traits(without_identifiers(event, forgotten.identifiers), forgotten.traits)


def _without_promoting_traits(store: StoreRules, event: Event, forgotten: Forgotten, kept: Values) -> Event:
    """Return the event without the traits that promoted these identifiers.

    Those that the profile still has are `kept`.
    """

    def promoted(name: TraitName, value: TraitValue) -> Collection[NormalizedIdentifier]:
        try:
            return Change.of_traits(store.trait_groups, store.settings, {name: value}).incoming
        except TraitValueRefused:  # by the rules of today
            return ()

    return without_trait_values(event, promoting_values(event, forgotten.identifiers, promoted, kept))


async def _kept_traits(
    connection: AsyncConnection, store: StoreRules, difference: Difference, forgotten: Forgotten
) -> Values:
    """Return the traits that the person has once the difference is written."""
    canonical = min(forgotten.profile_ids)
    canonical = difference.aliases.get(canonical, canonical)
    if canonical in difference.traits:
        return [(name, trait.value) for name, trait in difference.traits[canonical].items()]
    rows = await connection.execute(_TRAITS, {"store_id": store.id, "profile_id": canonical})
    return [(name, trait.value) for row in rows for name, trait in parsed_traits(row.traits, row.created_at).items()]


_TRAITS = text("""
    select traits, created_at from profile where store_id = :store_id and id = :profile_id
""")
