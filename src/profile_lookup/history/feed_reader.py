"""Reads the feed of a store, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

from profile_lookup.database.pool import Database
from profile_lookup.errors import FeedTokenRefused, StoreNotFound
from profile_lookup.history.feed import advance_feed
from profile_lookup.history.feed_order import Position
from profile_lookup.history.feed_pages import page_after
from profile_lookup.history.queries import events_by_number
from profile_lookup.identity.history.event import Event
from profile_lookup.stores.rules_cache import StoreRules


@dataclass(frozen=True, slots=True)
class FeedEvents:
    """Events of a feed. The next page begins after `position`, and the feed ended at `feed_end`."""

    events: Sequence[Event]
    position: Position
    feed_end: Position


async def read_feed(database: Database, store: StoreRules, after: Position, size: int) -> FeedEvents:
    """Return at most `size` events after this position, and none only if there are none yet.

    All events whose writes were answered before are in the feed by now. Raises `StoreNotFound`, `Unavailable`, or
    `FeedTokenRefused` if the feed has not come to this position, since the database was replaced by an older backup.
    """
    feed_end = await advance_feed(database, store.id)
    if feed_end is None:
        raise StoreNotFound
    if after > feed_end:
        raise FeedTokenRefused
    async with database.snapshot() as connection:
        while True:
            page = await page_after(connection, store.id, after, size)
            found = await events_by_number(connection, store, [position.number for position in page.positions])
            if found or page.is_last:
                events = [found[position.number] for position in page.positions if position.number in found]
                return FeedEvents(events, page.end, feed_end)
            after = page.end
