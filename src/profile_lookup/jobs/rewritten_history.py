"""Gives the identifiers in a store's events the form that a change of settings gives them."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.event_rows import NumberedEvent, next_events, rewrite
from profile_lookup.errors import ValueRefused
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.forgetting import identifiers_of, rewritten_event
from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.settings_changes.settings_change import SettingsChange

EVENTS_PER_BATCH = 500
"""A batch takes some tens of milliseconds of Python."""


async def rewrite_history(connection: AsyncConnection, store_id: UUID, change: SettingsChange) -> None:
    """Rewrite all events of the store. Nobody else writes in it meanwhile."""
    after = 0
    while True:
        events = await next_events(connection, store_id, after, EVENTS_PER_BATCH)
        if not events:
            return
        became = [NumberedEvent(number, _in_new_form(change, event)) for number, event in events]
        await rewrite(
            connection, store_id, [each for each, before in zip(became, events, strict=True) if each != before]
        )
        after = events[-1].number


def _in_new_form(change: SettingsChange, event: Event) -> Event:
    """Return the event in the new form; a value that the new settings refuse keeps its form."""
    forms = {}
    for each in identifiers_of(event):
        if each.id_type in change.renormalized:
            try:
                forms[each] = change.after.normalize(Identifier(each.id_type, each.value))
            except ValueRefused:
                continue
    return rewritten_event(event, forms) if forms else event
