"""Takes removed values out of the stored events of their person: see `identity/history/forgetting.py`."""

from collections.abc import Callable, Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import parsed_traits
from profile_lookup.database.event_rows import NumberedEvent, events_of, ids_of_people, rewrite
from profile_lookup.errors import TraitValueRefused
from profile_lookup.identity.change import Change
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


async def forget(connection: AsyncConnection, store: StoreRules, forgotten: Forgotten) -> None:
    """Rewrite the stored events of a person, whose profiles are locked, without what the person lost."""
    ids = await ids_of_people(connection, store.id, forgotten.profile_ids)
    kept = await _traits_of(connection, store, ids)
    await rewrite_events(connection, store.id, ids, lambda event: _without(store, event, forgotten, kept))


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


def _without(
    store: StoreRules, event: Event, forgotten: Forgotten, kept: Collection[tuple[TraitName, TraitValue]]
) -> Event:
    """Return the event without these identifiers, the traits that promoted them, and all values of these traits.

    Traits that the profiles still have are `kept`, since their present values may promote the identifiers again.
    """

    def promoted(name: TraitName, value: TraitValue) -> Collection[NormalizedIdentifier]:
        try:
            return Change.of_traits(store.trait_groups, store.settings, {name: value}).incoming
        except TraitValueRefused:  # by the rules of today
            return ()

    promoting = promoting_values(event, forgotten.identifiers, promoted, kept)
    return without_traits(
        without_identifiers(without_trait_values(event, promoting), forgotten.identifiers), forgotten.traits
    )


async def _traits_of(
    connection: AsyncConnection, store: StoreRules, ids: Collection[UUID]
) -> list[tuple[TraitName, TraitValue]]:
    rows = await connection.execute(_TRAITS, {"store_id": store.id, "ids": list(ids)})
    return [(name, trait.value) for row in rows for name, trait in parsed_traits(row.traits, row.created_at).items()]


_TRAITS = text("""
    select traits, created_at from profile where store_id = :store_id and id = any (cast(:ids as uuid[]))
""")
